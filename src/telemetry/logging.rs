//! Where log lines go and how they look.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Human on a terminal, JSON otherwise.
    #[default]
    Auto,
    Human,
    Json,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub level: tracing::Level,
    pub format: Format,
}

//! Where log lines go and how they look: to standard error, for people on a terminal and as one
//! JSON document a line elsewhere. Standard output belongs to the commands.

use std::io::{self, IsTerminal};

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry};

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
    pub level: Level,
    pub format: Format,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            level: Level::INFO,
            format: Format::Auto,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("failed to set up logging")]
pub struct StartError(#[from] TryInitError);

/// What a line looks like, once it is known where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Coloured,
    Plain,
    Json,
}

/// To be called once, before the first line. A second call changes nothing and is an error.
pub fn start(settings: &Settings) -> Result<(), StartError> {
    let look = match (settings.format, io::stderr().is_terminal()) {
        (Format::Auto | Format::Human, true) => Look::Coloured,
        (Format::Human, false) => Look::Plain,
        (Format::Auto, false) | (Format::Json, _) => Look::Json,
    };
    let layer = layer(settings.level, look, io::stderr);
    tracing_subscriber::registry().with(layer).try_init()?;
    Ok(())
}

const POISONING: &str = "aws_smithy_runtime::client::http::connection_poisoning";

fn layer<W>(level: Level, look: Look, writer: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = Targets::new()
        .with_target("standpipe", level)
        // An error for each refusal of a server, about connections that our own client looks after.
        .with_target(POISONING, LevelFilter::OFF)
        // Libraries tell their own story, and that of a healthy retry reads like a failure.
        .with_default(level.min(Level::WARN));
    let lines = fmt::layer().with_writer(writer).with_target(false);
    match look {
        Look::Coloured => lines.compact().with_filter(filter).boxed(),
        Look::Plain => lines.compact().with_ansi(false).with_filter(filter).boxed(),
        Look::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_filter(filter)
            .boxed(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use expect_test::{Expect, expect};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that a daemon and a library write at `level`, without their times and indents.
    #[track_caller]
    fn check(level: Level, look: Look, expected: Expect) {
        let page = Page::default();
        let writer = page.clone();
        let lines = layer(level, look, move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(lines);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(target: "standpipe", records = 3, "batch is delivered");
            tracing::debug!(target: "standpipe", "batch is cut");
            tracing::info!(target: "hyper", "new connection");
            tracing::warn!(target: "hyper", "connection broke off");
            tracing::error!(target: POISONING, "unable to mark the connection for closure");
        });
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let untimed = text
            .lines()
            .map(|line| line.split_once('Z').unwrap().1.trim_start());
        expected.assert_eq(&untimed.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn machines_read_one_document_a_line() {
        check(
            Level::INFO,
            Look::Json,
            expect![[r#"
            ","level":"INFO","message":"batch is delivered","records":3}
            ","level":"WARN","message":"connection broke off"}"#]],
        );
    }

    #[test]
    fn people_read_words() {
        check(
            Level::INFO,
            Look::Plain,
            expect![[r#"
                INFO batch is delivered records=3
                WARN connection broke off"#]],
        );
    }

    #[test]
    fn libraries_are_heard_from_warn_on() {
        check(
            Level::DEBUG,
            Look::Plain,
            expect![[r#"
                INFO batch is delivered records=3
                DEBUG batch is cut
                WARN connection broke off"#]],
        );
        check(Level::ERROR, Look::Plain, expect![]);
    }
}

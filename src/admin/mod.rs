//! What operators ask the daemon: `/metrics`, `/healthz`, `/readyz`.

//! # Standpipe
//!
//! A **source** brings records to a stream's **intake**. The **buffer** writes them to its log, syncs,
//! and only then says yes. The **flusher** decides when what waits is a **batch**: big enough, or old
//! enough. The **cut** is written to the log too, with the name that the object will have; then a
//! **delivery** takes the batch to its **sink**. When every record of a batch has exactly one resting
//! place the batch is **settled**. On the way a function may change, drop or fail records (`transform`): its
//! answers go into the log before they count. Towards a sink that takes requests a batch goes out in
//! **parts**, each with its **verdict** in the log; what fails rests in the **failed output**. Records, cuts and settlements stand in one durable order, so a
//! restart repeats the same batches under the same names. Crash anywhere: read the log, go on.
//!
//! ## Who may know whom
//!
//! No cycles: each module may know those named beside it. `tests/tidy.rs` reads this table.
//!
//! | module | may know |
//! |---|---|
//! | `model` | |
//! | `outside` | model |
//! | `telemetry` | model |
//! | `retry` | model, outside |
//! | `aws` | model, outside, telemetry |
//! | `buffer` | model, outside, telemetry |
//! | `objects` | model, outside, telemetry, retry, aws |
//! | `failed` | model |
//! | `server` | model, outside, telemetry |
//! | `source` | model, outside, telemetry, retry, aws, buffer, server |
//! | `transform` | model, outside, telemetry, retry, aws |
//! | `sink` | model, outside, telemetry, retry, objects |
//! | `pipeline` | model, outside, telemetry, retry, aws, buffer, objects, failed, transform, sink |
//! | `admin` | model, outside, telemetry, server, buffer, source, pipeline |
//! | `config` | model, outside, telemetry, retry, aws, buffer, objects, server, source, transform, sink, pipeline, admin |
//! | `daemon` | model, outside, telemetry, retry, aws, buffer, objects, server, source, transform, sink, pipeline, admin, config |
//! | `cli` | model, outside, telemetry, retry, aws, buffer, objects, server, source, transform, sink, pipeline, admin, config, daemon |
//!
//! What cannot be seen in code: nobody below `config` knows that YAML exists; sinks do not know the
//! buffer; the buffer does not know what a sink is; only `outside` touches the clock, chance, files
//! and outbound sockets (by name excepted: the SDK's profile files and credential processes, and the
//! log lines' own time stamps); long-lived tasks are spawned in `daemon`, others in a `JoinSet` of
//! their owner; there is no global state.
//!
//! ## Invariants
//!
//! Cited by number in comments, assertions and test names.
//!
//! - **B1** An append is answered only after it is durable: `fdatasync` of the data, and of the
//!   folder for a new name.
//! - **B2** Nothing above the durable tail is visible to a reader.
//! - **B3** Sequence numbers of a lane are dense: frame n ends where n+1 starts.
//! - **B4** Everything below a lane's watermark is at rest; a segment is recycled only when nothing
//!   in it is alive and nobody reads it.
//! - **B5** Damage never stops the daemon and never hides: a torn tail is cut, anything else is
//!   copied to `quarantine/`, counted, logged and shown, and the rest is delivered.
//! - **B6** After a failed sync nothing that is queued is acknowledged and that segment is never
//!   written again; a second failure stops intake while delivery goes on. A sync is never retried
//!   on the same file.
//! - **B7** A full disk is back-pressure: puts are refused, delivery goes on in a durable reserve
//!   of three segments, and intake resumes by itself.
//! - **B8** Every life opens a new segment under an id never used before and writes again what was
//!   not proven durable; frames carry their life's number, and a scan stops where it falls.
//! - **D1** Before settling, each record is in exactly one place: delivered, failed, dropped, or kept
//!   aside. A function's answer counts once it is durable, and for good.
//! - **D2** Records within a batch stay in order of arrival.
//! - **D3** A cut is durable before it is delivered, and an object's name is a function of the cut:
//!   a repeat overwrites instead of duplicating, and two daemons never collide.
//! - **D4** Data that cannot be delivered is held; the stream fills, refuses puts and alarms, and
//!   drops nothing silently.
//! - **D5** A batch that goes out in requests is split by the limits in its own plan; a request's id is a
//!   function of the batch and the part; a part's verdict is durable before it counts.
//! - **C1** accepted = delivered + failed + dropped + expired + quarantined + buffered, per stream,
//!   at all times and across restarts.
//! - **L1** Every queue, wait, body, batch and retry has a bound from `model::limits` or a
//!   `Settings`.

pub mod model;

pub mod outside;
pub mod telemetry;

pub mod retry;

pub mod aws;
pub mod buffer;
pub mod failed;
pub mod objects;

pub mod server;
pub mod source;

pub mod transform;

pub mod sink;

pub mod pipeline;

pub mod admin;
pub mod config;
pub mod daemon;

pub mod cli;

//! The only place that knows everyone: open, bind, spawn, watch, drain.

//! Webhooks and e-mail: who is told what (`endpoints`, `settings`), what happened (`events`, `episodes`, `unheard`), and the queue that
//! is the log too (`queue`, `log`).

pub mod endpoints;
pub mod episodes;
pub mod events;
pub mod log;
pub mod queue;
pub mod settings;
pub mod unheard;

//! Recordings: the frames of Kalshi's WebSocket as they came, in files.
//!
//! - [`line`](mod@line): what stands on a line.
//! - [`recorder`]: takes what comes off the connections; `files`: writes it, rotated and bounded.
//! - [`read`]: reads them, whole, cut off or by another hand.
//! - `settings`: whether a run records itself.
//! - [`inspect`]: what is in a recording, and the books that it ends with.
//! - [`playback`]: a recording as the messages that the host made of it.
//!
//! A file is JSON, one object a line, compressed with zstd:
//!
//! ```json
//! {"recording":{"format":1,"started_ms":1795000000000,"host":"0.1.0"}}
//! {"received_ms":1795000000123,"connection":1,"opened":"wss://…/trade-api/ws/v2"}
//! {"received_ms":1795000000456,"connection":1,"use_yes_price":true,"frame":{"type":"ticker","sid":3,"msg":{}}}
//! {"received_ms":1795000000789,"connection":1,"use_yes_price":true,"text":"{\"type\":"}
//! {"received_ms":1795000000790,"connection":1,"lost":17}
//! {"received_ms":1795000000791,"message":{"type":"game","espn_id":"401","home_score":7}}
//! {"received_ms":1795000000791,"connection":1,"closed":"nothing came for 25000 ms"}
//! ```
//!
//! `frame` holds the bytes of the frame, spaces and order of its fields included; what is no JSON
//! on one line is kept as `text`. A connection that is opened again gets the next number.
//! `use_yes_price` is what the books of the connection were subscribed with: it says in which
//! prices `no` levels come. `lost` counts frames that came faster than the disk took them.
//! `message` is what the host learned beside the frames, over REST and from scoreboards: markets,
//! games and how they stand; each file begins with what is known then.
//!
//! What it promises: recording never holds back the connection, and a frame that is not in the
//! file is counted in it. What never lives here: what a frame means to trading.

mod connections;
mod files;
pub mod inspect;
pub mod line;
pub mod playback;
pub mod read;
pub mod recorder;
mod settings;

pub use files::{Progress, RecordError, Settings};
pub use inspect::{Books, Inspection, Report, Spread};
pub use line::Later;
pub use playback::Playback;
pub use recorder::{Notes, Recorder};
pub use settings::RunSettings;

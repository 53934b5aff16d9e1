//! Both directions of a heartbeat: what is read is written and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proxima_types::heartbeat::{HeartbeatAnswer, HeartbeatRequest, RefusalBody};
use serde::{Serialize, de::DeserializeOwned};

fn stays_the_same<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let Ok(message) = serde_json::from_slice::<T>(bytes) else { return };
    let json = serde_json::to_value(&message).expect("written");
    let again: T = serde_json::from_value(json.clone()).expect("what was written is read");
    assert_eq!(serde_json::to_value(&again).expect("written"), json);
}

fuzz_target!(|bytes: &[u8]| {
    stays_the_same::<HeartbeatRequest>(bytes);
    stays_the_same::<HeartbeatAnswer>(bytes);
    let _ = serde_json::from_slice::<RefusalBody>(bytes);
});

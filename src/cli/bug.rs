//! A panic is a bug of ours: said so, with what to report, and exit 70 whatever the panic strategy is.
#![expect(clippy::disallowed_methods, clippy::exit, reason = "a panic has no way back to main")]

use std::panic::PanicHookInfo;

use super::exit::Exit;
use crate::ui::{ColorChoice, Loudness, Printer};

/// Replaces the panic message of the standard library for the rest of the process.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        Printer::new(Loudness::Normal, ColorChoice::Auto, &|_| None).block(&report(info));
        std::process::exit(Exit::Internal as i32);
    }));
}

fn report(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    let place = info.location().map(|place| format!("{}:{}", place.file(), place.line())).unwrap_or_default();
    format!(
        "error[bug]: kyklos-release {} stopped because of a bug in itself: {text}\n  place  {place}\n\
         what was published stays as it is; the same command goes on where this one stopped\n\
         help: please report it with the command you ran: {}/issues\n",
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_PKG_REPOSITORY"),
    )
}

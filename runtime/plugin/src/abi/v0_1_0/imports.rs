//! What a guest of 0.1.0 reads from the host: each getter answers from what the call under way lent it.

use std::time::{SystemTime, UNIX_EPOCH};

use wasmtime::component::Resource;

use super::bindings::tollgate::extension::{
    call, candidates, clock, credential, log, outcomes, request, verdicts,
};
use super::handles::{
    CallHandle, CandidatesHandle, FailedAnswerHandle, OutcomeHandle, RequestHandle,
};
use crate::limits::FAILED_BODY_BYTES;
use crate::reads::Getter;
use crate::state::State;

type Answer<T> = wasmtime::Result<T>;

/// Members of the body that are content, and so never a `parameter`.
const CONTENT_MEMBERS: &[&str] = &["messages", "input", "system", "instructions", "tools"];
/// Headers that no guest sees, whatever a view answers.
const HIDDEN_HEADERS: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "cookie",
    "set-cookie",
];

/// The lent thing, or a trap: a guest kept a handle beyond its call, which the component model itself forbids.
fn lent<'a, T: ?Sized>(slot: &'a Option<std::sync::Arc<T>>, what: &str) -> Answer<&'a T> {
    slot.as_deref()
        .ok_or_else(|| wasmtime::format_err!("no {what} is under way"))
}

fn visible(name: &str) -> bool {
    !HIDDEN_HEADERS.contains(&name)
}

impl State {
    fn lent_call(
        &mut self,
        getter: impl FnOnce() -> Getter,
    ) -> Answer<&(dyn crate::CallView + Send + Sync)> {
        if self.recorder.is_on() {
            self.recorder.note(getter());
        }
        lent(&self.lent.call, "call")
    }
}

impl call::Host for State {}

impl call::HostCall for State {
    fn operation(&mut self, _: Resource<CallHandle>) -> Answer<String> {
        Ok(self.lent_call(|| Getter::Operation)?.operation().to_owned())
    }
    fn dialect(&mut self, _: Resource<CallHandle>) -> Answer<String> {
        Ok(self.lent_call(|| Getter::Dialect)?.dialect().to_owned())
    }
    fn model(&mut self, _: Resource<CallHandle>) -> Answer<String> {
        Ok(self.lent_call(|| Getter::Model)?.model().to_owned())
    }
    fn streaming(&mut self, _: Resource<CallHandle>) -> Answer<bool> {
        Ok(self.lent_call(|| Getter::Streaming)?.streaming())
    }
    fn endpoint(&mut self, _: Resource<CallHandle>) -> Answer<String> {
        Ok(self.lent_call(|| Getter::Endpoint)?.endpoint().to_owned())
    }
    fn header(&mut self, _: Resource<CallHandle>, name: String) -> Answer<Option<String>> {
        if !visible(&name) {
            return Ok(None);
        }
        let call = self.lent_call(|| Getter::Header(name.as_str().into()))?;
        Ok(call.header(&name).map(str::to_owned))
    }
    fn session(&mut self, _: Resource<CallHandle>) -> Answer<Option<String>> {
        Ok(self
            .lent_call(|| Getter::Session)?
            .session()
            .map(str::to_owned))
    }
    fn attempt(&mut self, _: Resource<CallHandle>) -> Answer<u32> {
        Ok(self.lent_call(|| Getter::Attempt)?.attempt())
    }
    fn drop(&mut self, _: Resource<CallHandle>) -> Answer<()> {
        Ok(())
    }
}

impl call::HostFailedAnswer for State {
    fn status(&mut self, _: Resource<FailedAnswerHandle>) -> Answer<u16> {
        Ok(lent(&self.lent.failed, "failed answer")?.status())
    }
    fn header(&mut self, _: Resource<FailedAnswerHandle>, name: String) -> Answer<Option<String>> {
        if !visible(&name) {
            return Ok(None);
        }
        Ok(lent(&self.lent.failed, "failed answer")?
            .header(&name)
            .map(str::to_owned))
    }
    fn body(&mut self, _: Resource<FailedAnswerHandle>) -> Answer<Vec<u8>> {
        let body = lent(&self.lent.failed, "failed answer")?.body();
        Ok(body[..body.len().min(FAILED_BODY_BYTES)].to_vec())
    }
    fn operation(&mut self, _: Resource<FailedAnswerHandle>) -> Answer<String> {
        Ok(lent(&self.lent.failed, "failed answer")?
            .operation()
            .to_owned())
    }
    fn drop(&mut self, _: Resource<FailedAnswerHandle>) -> Answer<()> {
        Ok(())
    }
}

impl request::Host for State {}

impl request::HostRequest for State {
    fn id(&mut self, _: Resource<RequestHandle>) -> Answer<String> {
        Ok(lent(&self.lent.request, "request")?.id().to_owned())
    }
    fn operation(&mut self, _: Resource<RequestHandle>) -> Answer<String> {
        Ok(lent(&self.lent.request, "request")?.operation().to_owned())
    }
    fn dialect(&mut self, _: Resource<RequestHandle>) -> Answer<String> {
        Ok(lent(&self.lent.request, "request")?.dialect().to_owned())
    }
    fn model(&mut self, _: Resource<RequestHandle>) -> Answer<String> {
        Ok(lent(&self.lent.request, "request")?.model().to_owned())
    }
    fn streaming(&mut self, _: Resource<RequestHandle>) -> Answer<bool> {
        Ok(lent(&self.lent.request, "request")?.streaming())
    }
    fn output_cap(&mut self, _: Resource<RequestHandle>) -> Answer<Option<u64>> {
        Ok(lent(&self.lent.request, "request")?.output_cap())
    }
    fn parameter(&mut self, _: Resource<RequestHandle>, name: String) -> Answer<Option<String>> {
        if CONTENT_MEMBERS.contains(&name.as_str()) {
            return Ok(None);
        }
        Ok(lent(&self.lent.request, "request")?.parameter(&name))
    }
    fn header(&mut self, _: Resource<RequestHandle>, name: String) -> Answer<Option<String>> {
        if !visible(&name) {
            return Ok(None);
        }
        Ok(lent(&self.lent.request, "request")?.header(&name))
    }
    fn account_path(&mut self, _: Resource<RequestHandle>) -> Answer<Vec<String>> {
        Ok(lent(&self.lent.request, "request")?.account_path())
    }
    fn key_label(&mut self, _: Resource<RequestHandle>) -> Answer<String> {
        Ok(lent(&self.lent.request, "request")?.key_label().to_owned())
    }
    fn body_size(&mut self, _: Resource<RequestHandle>) -> Answer<u64> {
        Ok(lent(&self.lent.request, "request")?.body_size())
    }
    fn drop(&mut self, _: Resource<RequestHandle>) -> Answer<()> {
        Ok(())
    }
}

impl candidates::Host for State {}

impl candidates::HostCandidates for State {
    fn count(&mut self, _: Resource<CandidatesHandle>) -> Answer<u32> {
        Ok(lent(&self.lent.candidates, "ranking")?.count())
    }
    fn upstream(&mut self, _: Resource<CandidatesHandle>, position: u32) -> Answer<String> {
        Ok(lent(&self.lent.candidates, "ranking")?
            .upstream(position)
            .to_owned())
    }
    fn provider(&mut self, _: Resource<CandidatesHandle>, position: u32) -> Answer<String> {
        Ok(lent(&self.lent.candidates, "ranking")?
            .provider(position)
            .to_owned())
    }
    fn model(&mut self, _: Resource<CandidatesHandle>, position: u32) -> Answer<String> {
        Ok(lent(&self.lent.candidates, "ranking")?
            .model(position)
            .to_owned())
    }
    fn tier(&mut self, _: Resource<CandidatesHandle>, position: u32) -> Answer<String> {
        Ok(lent(&self.lent.candidates, "ranking")?
            .tier(position)
            .to_owned())
    }
    fn input_price(&mut self, _: Resource<CandidatesHandle>, position: u32) -> Answer<Option<u64>> {
        Ok(lent(&self.lent.candidates, "ranking")?.input_price(position))
    }
    fn output_price(
        &mut self,
        _: Resource<CandidatesHandle>,
        position: u32,
    ) -> Answer<Option<u64>> {
        Ok(lent(&self.lent.candidates, "ranking")?.output_price(position))
    }
    fn load(&mut self, _: Resource<CandidatesHandle>, position: u32) -> Answer<u32> {
        Ok(lent(&self.lent.candidates, "ranking")?.load(position))
    }
    fn latency_ms(&mut self, _: Resource<CandidatesHandle>, position: u32) -> Answer<u32> {
        Ok(lent(&self.lent.candidates, "ranking")?.latency_ms(position))
    }
    fn healthy(&mut self, _: Resource<CandidatesHandle>, position: u32) -> Answer<bool> {
        Ok(lent(&self.lent.candidates, "ranking")?.healthy(position))
    }
    fn drop(&mut self, _: Resource<CandidatesHandle>) -> Answer<()> {
        Ok(())
    }
}

impl outcomes::Host for State {}

impl outcomes::HostOutcome for State {
    fn request_id(&mut self, _: Resource<OutcomeHandle>) -> Answer<String> {
        Ok(lent(&self.lent.outcome, "outcome")?.request_id().to_owned())
    }
    fn status(&mut self, _: Resource<OutcomeHandle>) -> Answer<u16> {
        Ok(lent(&self.lent.outcome, "outcome")?.status())
    }
    fn model(&mut self, _: Resource<OutcomeHandle>) -> Answer<String> {
        Ok(lent(&self.lent.outcome, "outcome")?.model().to_owned())
    }
    fn upstream(&mut self, _: Resource<OutcomeHandle>) -> Answer<String> {
        Ok(lent(&self.lent.outcome, "outcome")?.upstream().to_owned())
    }
    fn input_tokens(&mut self, _: Resource<OutcomeHandle>) -> Answer<u64> {
        Ok(lent(&self.lent.outcome, "outcome")?.input_tokens())
    }
    fn output_tokens(&mut self, _: Resource<OutcomeHandle>) -> Answer<u64> {
        Ok(lent(&self.lent.outcome, "outcome")?.output_tokens())
    }
    fn charged(&mut self, _: Resource<OutcomeHandle>) -> Answer<u64> {
        Ok(lent(&self.lent.outcome, "outcome")?.charged())
    }
    fn duration_ms(&mut self, _: Resource<OutcomeHandle>) -> Answer<u64> {
        Ok(lent(&self.lent.outcome, "outcome")?.duration_ms())
    }
    fn account_path(&mut self, _: Resource<OutcomeHandle>) -> Answer<Vec<String>> {
        Ok(lent(&self.lent.outcome, "outcome")?.account_path())
    }
    fn drop(&mut self, _: Resource<OutcomeHandle>) -> Answer<()> {
        Ok(())
    }
}

impl log::Host for State {
    fn write(&mut self, level: String, message: String) -> Answer<()> {
        self.log(&level, &message);
        Ok(())
    }
}

impl clock::Host for State {
    fn now(&mut self) -> Answer<u64> {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn local(&mut self, zone: String) -> Answer<Result<clock::LocalTime, String>> {
        let Ok(zone) = jiff::tz::TimeZone::get(&zone) else {
            return Ok(Err(format!(
                "`{zone}` is no known time zone; use an IANA name such as `Europe/Berlin`"
            )));
        };
        let now = jiff::Timestamp::now().to_zoned(zone);
        Ok(Ok(clock::LocalTime {
            year: i32::from(now.year()),
            month: now.month().unsigned_abs(),
            day: now.day().unsigned_abs(),
            weekday: now.weekday().to_monday_one_offset().unsigned_abs(),
            hour: now.hour().unsigned_abs(),
            minute: now.minute().unsigned_abs(),
            second: now.second().unsigned_abs(),
            offset_seconds: now.offset().seconds(),
        }))
    }
}

impl credential::Host for State {
    fn mac(
        &mut self,
        algorithm: String,
        field: String,
        prefix: String,
        data: Vec<u8>,
    ) -> Answer<Result<Vec<u8>, String>> {
        Ok(match &self.lent.macs {
            Some(macs) => macs.mac(&algorithm, &field, &prefix, &data),
            None => Err("`credential.mac` may only be called inside `signing.sign`".into()),
        })
    }
}

impl verdicts::Host for State {}

"""Asks a gateway, with the official SDK for Python, for what there is beside answers, and judges all of it by the SDK's types.

Kept responses and their input items, conversations and theirs, compaction, counts, and answers over a WebSocket. Arguments: base URL, key,
then names of models whose vendors have nothing of this themselves. Prints what does not fit and, last, one JSON object of
counts; ends with status 1 where anything does not fit.
"""

import collections
import json
import re
import sys

import openai
import pydantic
from openai.types.conversations import (
    Conversation,
    ConversationDeletedResource,
    ConversationItem,
    ConversationItemList,
)
from openai.types.responses import (
    CompactedResponse,
    InputTokenCountResponse,
    Response,
    ResponseItemList,
    ResponsesServerEvent,
)

from sdk_types import alternatives, is_of_kind, misfits, plain

base_url, key, *models = sys.argv[1:]
client = openai.OpenAI(api_key=key, base_url=f"{base_url}/v1", max_retries=0, timeout=60)
counts, faults, used = collections.Counter(), collections.defaultdict(list), set()

# What is written though the SDK has no word for it: kind, place, why. Whatever of this is no longer met with is a fault.
ALLOWED = [
    ("responses", ".store", "the vendor's own answers have it"),
    ("events", ".response.store", "likewise"),
    ("compactions", r".output\[\]", "the vendor's own begin with the messages of the user, which the type leaves out"),
]


def fault(kind, place, wrong, what):
    place = re.sub(r"\[\d+\]", "[]", place)
    for number, (of, pattern, _) in enumerate(ALLOWED):
        if of == kind and re.fullmatch(pattern, place):
            used.add(number)
            return
    faults[f"{kind} {place}: {wrong}"].append(what)


def fits(kind, shape, body, what):
    """By our strict reading of the types, and where these tell the kinds apart by pydantic's own."""
    counts[kind] += 1
    for place, wrong in misfits(shape, body):
        fault(kind, place, wrong, what)
    meant = [one for one in alternatives(shape) if is_of_kind(one, body)]
    if len(meant) == 1 and kind != "compactions":
        try:
            pydantic.TypeAdapter(meant[0]).validate_json(json.dumps(body), strict=True)
        except pydantic.ValidationError as error:
            # Of a list of anything each kind complains.
            for one in error.errors()[:3]:
                place = "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in one["loc"])
                fault(kind, place, one["msg"], what)


def judged(kind, shape, raw, what):
    """The answer as the SDK reads it, which must be what was written."""
    body = json.loads(raw.text)
    fits(kind, shape, body, what)
    read = raw.parse()
    if plain(read) != plain(body):
        fault(kind, "", f"{body}\n  read as {plain(read)}", what)
    return read


def same(kind, one, other, what):
    if plain(one) != plain(other):
        fault(kind, "", f"{plain(one)}\n  is not {plain(other)}", what)


def not_found(what, ask):
    counts["not found"] += 1
    try:
        fault("not found", "", f"there is {ask()}", what)
    except openai.NotFoundError as error:
        if error.type != "invalid_request_error" or not str(error):
            fault("not found", "", str(error.body), what)


WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
TOOLS = [{"type": "function", "name": "get_weather", "parameters": WEATHER, "strict": True}]
PICTURE = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
# As short as the types of requests let a client write it.
QUESTION = [
    {"role": "developer", "content": "Answer briefly."},
    {"role": "user", "content": [{"type": "input_text", "text": "What is this?"}, {"type": "input_image", "image_url": PICTURE, "detail": "auto"}]},
    {"role": "assistant", "content": "A point."},
    {"role": "user", "content": "TOOL_PLEASE, what is the weather?"},
]
TALK = QUESTION + [
    {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Kiel"}'},
    {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
    {"role": "user", "content": "And now?"},
]


def input_items(response, expected, what):
    """Page by page: each item once, oldest first, each as the SDK knows it."""
    items, after = [], openai.omit
    while True:
        raw = client.responses.input_items.with_raw_response.list(response.id, order="asc", limit=3, after=after)
        body = json.loads(raw.text)
        fits("input items", ResponseItemList, body, what)
        page = raw.parse()
        items += page.data
        if not page.has_next_page():
            break
        after = page.data[-1].id
    if [item.id for item in items] != [item.id for item in client.responses.input_items.list(response.id, order="asc")]:
        fault("input items", "", "pages of another size have others", what)
    if len({item.id for item in items}) != expected or len(items) != expected:
        fault("input items", "", f"{len(items)} instead of {expected}", what)


def kept(model):
    create = client.responses.with_raw_response.create
    first = judged("responses", Response, create(model=model, input=QUESTION, tools=TOOLS), model)
    call = next(item for item in first.output if item.type == "function_call")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
    raw = create(model=model, input=[result], tools=TOOLS, previous_response_id=first.id, metadata={"k": "v"})
    second = judged("responses", Response, raw, model)
    with client.responses.stream(model=model, input="Thank you.", previous_response_id=second.id) as stream:
        third = stream.get_final_response()
    whole = judged("responses", Response, create(model=model, input=TALK, tools=TOOLS), model)
    for made in (first, second, third, whole):
        shown = judged("responses", Response, client.responses.with_raw_response.retrieve(made.id), model)
        same("responses", shown, made, model)
        counts["kept responses"] += 1
    input_items(first, len(QUESTION), model)
    # What went before is input of what goes on from it: the items, the call, its result, the answer, the thanks.
    input_items(third, len(QUESTION) + len(first.output) + 1 + len(second.output) + 1, model)
    input_items(whole, len(TALK), model)
    client.responses.delete(first.id)
    not_found(f"{model}, deleted", lambda: client.responses.retrieve(first.id))
    not_found(f"{model}, its input", lambda: client.responses.input_items.list(first.id))


def conversation_items(conversation, expected, what):
    """Page by page, oldest first, each as the SDK knows it."""
    items, after = [], openai.omit
    while True:
        raw = client.conversations.items.with_raw_response.list(conversation, order="asc", limit=2, after=after)
        body = json.loads(raw.text)
        fits("conversation items", ConversationItemList, body, what)
        page = raw.parse()
        items += page.data
        if not page.has_next_page():
            break
        after = page.last_id
    if len({item.id for item in items}) != expected or len(items) != expected:
        fault("conversation items", "", f"{len(items)} instead of {expected}", what)
    return items


def conversed(model):
    items = [{"type": "message", "role": "user", "content": "My name is Ada."}]
    raw = client.conversations.with_raw_response.create(items=items, metadata={"k": "v"})
    made = judged("conversations", Conversation, raw, model)
    for text in ("And yours?", "Once more?"):
        raw = client.responses.with_raw_response.create(model=model, input=text, conversation=made.id)
        answer = judged("responses", Response, raw, model)
        if answer.conversation is None or answer.conversation.id != made.id:
            fault("conversations", "", f"the answer names {answer.conversation}", model)
    shown = judged("conversations", Conversation, client.conversations.with_raw_response.retrieve(made.id), model)
    same("conversations", shown, made, model)
    # What it began with, and each question with its answer.
    items = conversation_items(made.id, 5, model)
    added = client.conversations.items.with_raw_response.create(made.id, items=[{"role": "user", "content": "Psst."}])
    added = judged("conversation items", ConversationItemList, added, model).data
    last = client.conversations.items.with_raw_response.retrieve(added[0].id, conversation_id=made.id)
    fits("conversation items", ConversationItem, json.loads(last.text), model)
    same("conversation items", last.parse(), added[0], model)
    # As sessions of agents take back what was said last, and what was not last.
    for gone in (added[0], items[1]):
        raw = client.conversations.items.with_raw_response.delete(gone.id, conversation_id=made.id)
        judged("conversations", Conversation, raw, model)
        not_found(f"{model}, item", lambda gone=gone: client.conversations.items.retrieve(gone.id, conversation_id=made.id))
    left = conversation_items(made.id, 4, model)
    same("conversation items", [item.id for item in left], [item.id for item in items if item.id != items[1].id], model)
    raw = client.responses.with_raw_response.create(model=model, input="And now?", conversation=made.id)
    judged("responses", Response, raw, model)
    conversation_items(made.id, 6, model)
    changed = client.conversations.with_raw_response.update(made.id, metadata={"k": "w"})
    if judged("conversations", Conversation, changed, model).metadata != {"k": "w"}:
        fault("conversations", "", f"the metadata became {changed.text}", model)
    judged("conversations", ConversationDeletedResource, client.conversations.with_raw_response.delete(made.id), model)
    not_found(f"{model}, deleted", lambda: client.conversations.retrieve(made.id))


def compacted(model):
    raw = client.responses.with_raw_response.compact(model=model, input=TALK)
    short = judged("compactions", CompactedResponse, raw, model)
    if short.output[-1].type != "compaction":
        fault("compactions", "", f"it ends with {short.output[-1].type}", model)
    # As the vendor's documents say: the output is the next input, as it is.
    items = plain(short)["output"] + [{"role": "user", "content": "Go on."}]
    judged("responses", Response, client.responses.with_raw_response.create(model=model, input=items), model)


def counted(model):
    raw = client.responses.input_tokens.with_raw_response.count(model=model, input=TALK, tools=TOOLS)
    if judged("counts", InputTokenCountResponse, raw, model).input_tokens < 1:
        fault("counts", "", "nothing was counted", model)


def over_a_websocket(model):
    previous = openai.omit
    with client.responses.connect() as connection:
        for text in ("Good morning.", "And now?"):
            connection.response.create(model=model, input=text, previous_response_id=previous, store=False)
            told, numbers = "", []
            while True:
                message = connection.recv_bytes()
                body = json.loads(message)
                fits("events", ResponsesServerEvent, body, model)
                event = connection.parse_event(message)
                if plain(event) != plain(body):
                    fault("events", "", f"{body}\n  read as {plain(event)}", model)
                numbers.append(event.sequence_number)
                if event.type == "response.output_text.delta":
                    told += event.delta
                if event.type in ("response.completed", "response.failed", "response.incomplete", "error"):
                    break
            if event.type != "response.completed" or event.response.output_text != told or not told:
                fault("events", "", f"{told!r} became {event}", model)
            if numbers != list(range(len(numbers))):
                fault("events", "", f"their numbers are {numbers}", model)
            previous = event.response.id
        # What is not there is told in the event that the vendor documents.
        connection.response.create(model=model, input="And?", previous_response_id="resp_nobodys", store=False)
        body = json.loads(connection.recv_bytes())
        if body.get("type") != "error" or body["error"]["code"] != "previous_response_not_found":
            fault("events", "", f"of what is not there is told {body}", model)


for model in models:
    kept(model)
    conversed(model)
    compacted(model)
    counted(model)
    over_a_websocket(model)

for number, (kind, place, why) in enumerate(ALLOWED):
    if number not in used:
        faults[f"{kind} {place}: allowed, but nothing needs it ({why})"] = []
for wrong, where in faults.items():
    print(f"{len(where)} × {wrong[:600]}\n    such as {where[:2]}")
print(json.dumps(counts))
sys.exit(1 if faults else 0)

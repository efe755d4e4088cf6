"""Drives the OpenAI SDK against a gateway; prints what came back as one JSON object."""

import json
import sys

import openai

base_url, key, chat_model, _, embedding_model = sys.argv[1:]
client = openai.OpenAI(base_url=base_url + "/v1", api_key=key, max_retries=0, timeout=60)
found = {}

hello = [{"role": "user", "content": "Good morning."}]
found["chat_text"] = client.chat.completions.create(model=chat_model, messages=hello).choices[0].message.content

text, usage = "", None
stream = client.chat.completions.create(
    model=chat_model, messages=hello, stream=True, stream_options={"include_usage": True}
)
for chunk in stream:
    if chunk.choices:
        text += chunk.choices[0].delta.content or ""
    if chunk.usage:
        usage = chunk.usage.completion_tokens
found["chat_stream"], found["chat_stream_usage"] = text, usage


def weather(arguments):
    return f"19 degrees in {json.loads(arguments)['city']}"


schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
messages = [{"role": "user", "content": "TOOL_PLEASE: what is the weather?"}]
tools = [{"type": "function", "function": {"name": "get_weather", "parameters": schema}}]
call, arguments = None, ""
for chunk in client.chat.completions.create(model=chat_model, messages=messages, tools=tools, stream=True):
    for delta in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
        call = call or delta
        arguments += delta.function.arguments or ""
function = {"name": call.function.name, "arguments": arguments}
messages.append({"role": "assistant", "tool_calls": [{"id": call.id, "type": "function", "function": function}]})
messages.append({"role": "tool", "tool_call_id": call.id, "content": weather(arguments)})
answer = client.chat.completions.create(model=chat_model, messages=messages, tools=tools)
found["chat_tool"] = answer.choices[0].message.content

found["responses_text"] = client.responses.create(model=chat_model, input="Good morning.").output_text
with client.responses.stream(model=chat_model, input="Good morning.") as stream:
    deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
    final = stream.get_final_response()
assert "".join(deltas) == final.output_text, (deltas, final.output_text)
found["responses_stream"] = final.output_text

question = [{"role": "user", "content": "TOOL_PLEASE: what is the weather?"}]
functions = [{"type": "function", "name": "get_weather", "parameters": schema, "strict": False}]
with client.responses.stream(model=chat_model, input=question, tools=functions) as stream:
    first = stream.get_final_response()
call = next(item for item in first.output if item.type == "function_call")
question += [
    {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments},
    {"type": "function_call_output", "call_id": call.call_id, "output": weather(call.arguments)},
]
found["responses_tool"] = client.responses.create(model=chat_model, input=question, tools=functions).output_text

found["embedding"] = len(client.embeddings.create(model=embedding_model, input=["a", "b"]).data[1].embedding)
found["models"] = [model.id for model in client.models.list()]
found["model"] = client.models.retrieve(chat_model).id


def failure(act):
    try:
        act()
    except openai.APIStatusError as error:
        return f"{type(error).__name__} {error.status_code} {error.code}"
    return "no error"


found["unknown_model"] = failure(lambda: client.chat.completions.create(model="no-such-model", messages=hello))
stranger = client.with_options(api_key="tg-nobody")
found["bad_key"] = failure(lambda: stranger.responses.create(model=chat_model, input="Good morning."))

print(json.dumps(found))

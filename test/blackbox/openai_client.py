"""Drives a gateway with OpenAI's own Python package, unchanged but for its base URL.

Usage: openai_client.py BASE_URL MODEL. Prints one JSON line per check, {"check": name, "ok": bool, "detail": text}, and
ends with status 0 when all of them held.
"""

import json
import sys

import openai
from openai import OpenAI
from pydantic import BaseModel

base_url, model = sys.argv[1:3]
client = OpenAI(base_url=base_url, api_key="none-needed", max_retries=0)
parameters = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
chat_tool = {"type": "function", "function": {"name": "get_weather", "parameters": parameters, "strict": True}}
response_tool = {"type": "function", "name": "get_weather", "parameters": parameters, "strict": True}
both = "Use get_weather for Paris and Berlin."
cities = ["Paris", "Berlin"]


class Person(BaseModel):
    name: str
    city: str


def city_of(written):
    return json.loads(written)["city"]


def chat_whole():
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "The code is 4711. What is the code?"}]
    )
    assert "4711" in answer.choices[0].message.content, answer
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens, answer.usage


def chat_stream():
    stream = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "The code is 4711. What is the code?"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    text, usage = "", None
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
    assert "4711" in text, text
    assert usage is not None and usage.completion_tokens > 0, usage


def chat_tools():
    messages = [{"role": "user", "content": both}]
    asked = client.chat.completions.create(model=model, messages=messages, tools=[chat_tool]).choices[0]
    assert asked.finish_reason == "tool_calls", asked
    calls = asked.message.tool_calls
    assert [city_of(call.function.arguments) for call in calls] == cities, calls
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": f"mild in {city}"} for call, city in zip(calls, cities)
    ]
    answer = client.chat.completions.create(
        model=model, messages=[*messages, asked.message, *results], tools=[chat_tool]
    )
    assert "mild in Berlin" in answer.choices[0].message.content, answer


def chat_stream_helper():
    with client.chat.completions.stream(
        model=model, messages=[{"role": "user", "content": both}], tools=[chat_tool]
    ) as stream:
        seen = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        final = stream.get_final_completion()
    assert [city_of(event.arguments) for event in seen] == cities, seen
    assert len(final.choices[0].message.tool_calls) == 2, final


def chat_parse():
    answer = client.chat.completions.parse(
        model=model,
        messages=[{"role": "user", "content": "My name is Ada. My city is Lisbon. Fill in the form."}],
        response_format=Person,
    )
    assert answer.choices[0].message.parsed.city == "Lisbon", answer


def responses_whole():
    answer = client.responses.create(model=model, input="The code is 4711. What is the code?")
    assert "4711" in answer.output_text, answer
    again = client.responses.retrieve(answer.id)
    assert again.output_text == answer.output_text, again
    more = client.responses.create(model=model, input="What is the code?", previous_response_id=answer.id)
    assert "4711" in more.output_text, more


def responses_stream():
    with client.responses.stream(model=model, input="The code is 4711. What is the code?") as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert "4711" in text and text == final.output_text, (text, final)


def responses_tools():
    asked = client.responses.create(model=model, input=both, tools=[response_tool])
    calls = [item for item in asked.output if item.type == "function_call"]
    assert [city_of(call.arguments) for call in calls] == cities, asked
    outputs = [
        {"type": "function_call_output", "call_id": call.call_id, "output": f"mild in {city}"}
        for call, city in zip(calls, cities)
    ]
    answer = client.responses.create(
        model=model, input=outputs, previous_response_id=asked.id, tools=[response_tool]
    )
    assert "mild in Berlin" in answer.output_text, answer


def responses_parse():
    answer = client.responses.parse(
        model=model, input="My name is Ada. My city is Lisbon. Fill in the form.", text_format=Person
    )
    assert answer.output_parsed.city == "Lisbon", answer


def errors():
    try:
        client.chat.completions.create(model="no-such-model", messages=[{"role": "user", "content": "Hi"}])
    except openai.NotFoundError as error:
        assert error.body["message"], error.body
    else:
        raise AssertionError("an unknown model was answered")


def models():
    assert any(found.id for found in client.models.list()), "no models"


checks = [
    chat_whole,
    chat_stream,
    chat_tools,
    chat_stream_helper,
    chat_parse,
    responses_whole,
    responses_stream,
    responses_tools,
    responses_parse,
    errors,
    models,
]
failed = 0
for check in checks:
    try:
        check()
        print(json.dumps({"check": check.__name__, "ok": True, "detail": ""}))
    except Exception as error:  # A check that breaks must not keep the others from being told.
        failed += 1
        print(json.dumps({"check": check.__name__, "ok": False, "detail": f"{type(error).__name__}: {error}"[:600]}))
sys.exit(1 if failed else 0)

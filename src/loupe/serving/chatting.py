"""POST /v1/chat/completions: whole answers and streams, in OpenAI's shape."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator

import anyio
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from loupe.serving.conversation import Heard, heard, reply
from loupe.serving.desk import Count, Ticket, Wish
from loupe.serving.faults import Refused
from loupe.serving.host import Host, News
from loupe.serving.schemas import ChatRequest, Completion
from loupe.serving.unfolding import problems

router = APIRouter()
STREAM = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}},
                "description": "a completion; with `stream` events whose data is a Chunk, then [DONE]"}}


@router.post("/v1/chat/completions", response_model=Completion, responses=STREAM, tags=["chat"],
             summary="Ask about pictures and regions of them")
async def chat(asked: ChatRequest, request: Request):
    host: Host = request.app.state.host
    if asked.model is not None and asked.model != host.name:
        raise Refused(404, "there is no such model", got=repr(asked.model[:80]), expected=repr(host.name),
                      param="model", code="model_not_found")
    if asked.constrain not in (None, "free"):
        host.able("constrain")
    said = await anyio.to_thread.run_sync(heard, asked.messages, host.pictures.find, host.ear, host.settings)
    most = asked.max_completion_tokens or asked.max_tokens or host.settings.answer
    wish = Wish(min(most, host.settings.answer), asked.constrain, asked.temperature or 0.0, asked.seed or 0)
    envelope = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": host.name}
    if asked.stream:
        return await _streamed(host, request, said, wish, envelope, asked)
    answer, ticket = await host.ask(request, said.sample, said.pictures, wish)
    choice = {"index": 0, "message": reply(answer, said), "finish_reason": _reason(ticket), "logprobs": None}
    return envelope | {"object": "chat.completion", "choices": [choice], "usage": usage(ticket.count)}


async def _streamed(host: Host, request: Request, said: Heard, wish: Wish, envelope: dict, asked: ChatRequest):
    """A stream, once the first token is there: what is refused before that has its own status."""
    ticket = Ticket(said.sample, said.pictures, wish)
    news = host.stream(request, ticket)
    first = await anext(news)
    counted = asked.stream_options is not None and asked.stream_options.include_usage
    return StreamingResponse(_events(first, news, said, ticket, envelope, counted), media_type="text/event-stream",
                             headers={"X-Accel-Buffering": "no"})


async def _events(first: News, news: AsyncIterator[News], said: Heard, ticket: Ticket, envelope: dict,
                  counted: bool) -> AsyncIterator[str]:
    envelope = envelope | {"object": "chat.completion.chunk"} | ({"usage": None} if counted else {})

    def event(delta: dict, reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return _data(envelope | {"choices": [choice]})

    try:
        yield event({"role": "assistant", "content": ""})
        each: News | None = first
        while each is not None:
            if each.content or each.regions:
                yield event(({"content": each.content} if each.content else {})
                            | ({"regions": list(each.regions)} if each.regions else {}))
            if each.answer is not None and (found := said.problems + problems(each.answer)):
                yield event({"problems": found})
            each = await anext(news, None)
        yield event({}, _reason(ticket))
        if counted:
            yield _data(envelope | {"choices": [], "usage": usage(ticket.count)})
    except Refused as refused:
        yield _data(refused.body)
    finally:
        await news.aclose()
    yield "data: [DONE]\n\n"


def usage(count: Count | None) -> dict | None:
    if count is None:
        return None
    return {"prompt_tokens": count.prompt, "completion_tokens": count.answer,
            "total_tokens": count.prompt + count.answer, "prompt_tokens_details": {"cached_tokens": count.cached}}


def _reason(ticket: Ticket) -> str:
    return "length" if ticket.length else "stop"


def _data(value: dict) -> str:
    return f"data: {json.dumps(value)}\n\n"

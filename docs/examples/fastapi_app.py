"""A FastAPI application that asks without blocking its loop. Prints fastapi_app.out."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count

import httpx
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from wa_fsm import AsyncGatekeeper, CustomerMessage, FreeForm, SendRefused
from wa_fsm.clock import ManualClock

NUMBER = "200100300"
clock = ManualClock(datetime(2026, 3, 2, 9, tzinfo=UTC) - timedelta(days=30))
# In production: `gate = await AsyncGatekeeper.open(…)` in the lifespan, without `now`.
gate = AsyncGatekeeper(
    policy="cloud-api", store="memory://", templates={"hello": "approved"}, now=clock, log=False
)
clock.move_to(datetime(2026, 3, 2, 9, tzinfo=UTC))
app = FastAPI()
ids = count(1)


async def call_whatsapp(to: str, text: str) -> str:
    """Here stands your client. It gives the id of WhatsApp's answer."""
    if text == "lose the answer":
        raise TimeoutError("no answer came")
    return f"wamid.out.{next(ids)}"


@app.get("/may/{contact}")
async def may(contact: str) -> dict[str, object]:
    """Ask for the sake of a button in the user's interface. Sending decides again."""
    decision = await gate.check(NUMBER, contact, FreeForm("text"))
    until = decision.valid_until
    return {"allowed": decision.allowed, "until": until and until.isoformat()}


@app.post("/send/{contact}")
async def send(contact: str, text: str) -> JSONResponse:
    """Send a text, if that is allowed at this moment."""
    try:
        async with gate.sending(NUMBER, contact, FreeForm("text")) as sending:
            message_id = await call_whatsapp(contact, text)
            await sending.sent(message_id)
    except SendRefused as refused:
        return JSONResponse({"reason": refused.decision.reason}, status_code=409)
    except TimeoutError:
        # It may have left. Nothing was said, so it is no fact until a status settles it.
        return JSONResponse({"outcome": sending.outcome}, status_code=504)
    return JSONResponse({"id": message_id})


async def main() -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:

        async def show(method: str, path: str) -> None:
            answer = await client.request(method, path)
            print(method, path, answer.status_code, answer.json())

        await show("GET", "/may/4915112345678")
        await show("POST", "/send/4915112345678?text=Hello")

        await gate.record(CustomerMessage(NUMBER, "4915112345678", clock(), "wamid.in.1"))
        await show("GET", "/may/4915112345678")
        await show("POST", "/send/4915112345678?text=Hello")
        await show("POST", "/send/4915112345678?text=lose+the+answer")
    facts = (await gate.history(NUMBER, "4915112345678")).facts
    print("facts:", [fact.id for fact in facts])
    await gate.close()


if __name__ == "__main__":
    asyncio.run(main())

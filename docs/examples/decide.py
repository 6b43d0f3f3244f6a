"""Ask before you send; tell the history what happened. Prints what decide.out says."""

from datetime import UTC, datetime, timedelta

from wa_fsm import (
    CustomerMessage,
    FreeForm,
    History,
    Message,
    SendFailed,
    Sent,
    Template,
    decide,
    policies,
)

NUMBER, ANA = "business", "ana"
NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
TEMPLATES = {"order_update": "approved", "spring_sale": "paused"}

# Whoever asks names the policy. The margin stops us five minutes before the window's end.
policy = policies.get("cloud-api", margin="5m")
history = History(policy)  # the facts of one key: one business number, one contact


def ask(label: str, message: Message, at: datetime) -> None:
    decision = decide(policy, history, message, at, TEMPLATES)
    print(f"{label}\n  {decision.text}")
    print(f"  rule {decision.rule} ({decision.standing}), policy {decision.policy}")
    if not decision:
        print(f"  error code {decision.error_code}")
        print(f"  instead: {', '.join(decision.remedies)}")


ask("Nobody has written yet.", FreeForm("text"), NINE)

ask("A template may go out at any time, if it is approved.", Template("order_update"), NINE)
history.add(Sent(NUMBER, ANA, NINE, "wamid.out.1", Template("order_update")))

ask("A template is no reply, so we wait.", FreeForm("image"), NINE + timedelta(minutes=10))

# Ana answered at 10:00; the webhook came twenty minutes late. Her timestamp counts.
ten = NINE + timedelta(hours=1)
history.add(CustomerMessage(NUMBER, ANA, ten, "wamid.in.1"), arrived=ten + timedelta(minutes=20))
ask("Ana has answered.", FreeForm("image"), ten + timedelta(hours=1))

ask("The window closes soon.", FreeForm("text"), ten + timedelta(hours=23, minutes=56))
ask("At exactly 24 hours it is shut.", FreeForm("text"), ten + timedelta(hours=24))
ask("A paused template cannot be sent.", Template("spring_sale"), ten + timedelta(hours=24))

# WhatsApp has the last word. A send of 12:00 was refused for the window: so it was shut then.
noon = NINE + timedelta(hours=3)
history.add(Sent(NUMBER, ANA, noon, "wamid.out.2", FreeForm("text")))
history.add(SendFailed(NUMBER, ANA, noon + timedelta(seconds=2), "wamid.out.2", 131047))
ask("WhatsApp refused the send of 12:00.", FreeForm("text"), noon + timedelta(hours=1))

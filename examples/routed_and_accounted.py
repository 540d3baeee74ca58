"""The whole way: cache, router and ledger around one call, and what it saved."""

from __future__ import annotations

import asyncio

from llmfast import Cache, Decision, Engine, Ledger, Reply, Router, Usage


async def ask_model(question: str, decision: Decision) -> Reply:
    """Stand in for a client that calls the model which the router chose."""
    return Reply(f"(an answer of {decision.model})", usage=Usage(input_tokens=len(question) // 4, output_tokens=120))


async def main() -> None:
    """Send two easy questions and a hard one, and a repeat, on behalf of two users."""
    ledger = Ledger()
    engine = Engine(cache=Cache(), router=Router.default(), ledger=ledger)
    hard = "First implement a function that parses the contract, then, after that, write code to test each clause"
    for user, question in (
        ("ann", "What is 2 + 2?"),
        ("bob", "What is 2 + 2?"),
        ("ann", hard),
        ("bob", "Who are you?"),
    ):
        answer = await engine.get_or_generate(question, ask_model, model="gpt-4o", user=user)
        print(f"{answer.source:10}  {answer.model:16}  {question}")
    print(ledger.summary())
    for asker, totals in ledger.by_user().items():
        print(f"{asker}: {totals}")


if __name__ == "__main__":
    asyncio.run(main())

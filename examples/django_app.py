"""Django application of one file with a view that asks a model; each request says what its calls belong to.

`gunicorn django_app:application` serves it; as a program it asks itself one question. Without a key a script answers.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import django
import openai
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

import specspan
from specspan.testing import ScriptedModel
from specspan.web import WsgiMiddleware

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="made for an example")
django.setup()

if "OPENAI_API_KEY" in os.environ:
    client = openai.OpenAI()
else:
    scripted = ScriptedModel({"sleeper": "There is one, every night. Book it only today!"}).__enter__()
    client = openai.OpenAI(base_url=scripted.base_url, api_key=scripted.api_key)


def answer(request: HttpRequest) -> JsonResponse:
    """Answer the question in the query, or say which clause stopped the answer."""
    messages: Any = [{"role": "user", "content": request.GET["question"]}]
    try:
        completion = client.chat.completions.create(model="gpt-5-mini", messages=messages)
    except specspan.Blocked as stopped:
        return JsonResponse({"stopped": stopped.decision.governing_clause}, status=403)
    return JsonResponse({"answer": completion.choices[0].message.content})


urlpatterns = [path("answer", answer)]


def context_of(environ: dict[str, Any]) -> dict[str, Any]:
    """Return what the model calls of a request belong to."""
    return {"conversation": environ.get("HTTP_X_CONVERSATION")}


application = WsgiMiddleware(
    get_wsgi_application(),
    policy=Path(__file__).with_name("strict_policy.yaml"),
    service_name="travel-desk",
    context_of=context_of,
)

if __name__ == "__main__":
    from wsgiref.util import setup_testing_defaults

    environ: dict[str, Any] = {"QUERY_STRING": "question=Is+there+a+sleeper%3F", "HTTP_X_CONVERSATION": "c-1"}
    setup_testing_defaults(environ)
    environ["PATH_INFO"] = "/answer"
    print(b"".join(application(environ, lambda *_: lambda _: None)).decode())

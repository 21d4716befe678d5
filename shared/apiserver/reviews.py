"""Reviews: questions about the asker's identity and rights, answered and never stored.

Whoever is authenticated may do everything until there is RBAC; the answers say just that.
"""

from collections.abc import Callable
from typing import Any

from shared.apimachinery.manifest import GroupResource, Manifest
from shared.apiserver.authentication import TokenTable, User

_ACCESS = "authorization.k8s.io"
_IDENTITY = "authentication.k8s.io"
_EVERY_RESOURCE = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
_EVERY_PATH = {"verbs": ["*"], "nonResourceURLs": ["*"]}

_Answer = Callable[[Manifest, User, TokenTable], dict[str, Any]]


def _access(_review: Manifest, _user: User, _tokens: TokenTable) -> dict[str, Any]:
    return {"allowed": True, "reason": "every authenticated user may do everything"}


def _rules(_review: Manifest, _user: User, _tokens: TokenTable) -> dict[str, Any]:
    return {
        "resourceRules": [_EVERY_RESOURCE],
        "nonResourceRules": [_EVERY_PATH],
        "incomplete": False,
    }


def _self(_review: Manifest, user: User, _tokens: TokenTable) -> dict[str, Any]:
    return {"userInfo": _user_info(user)}


def _token(review: Manifest, _user: User, tokens: TokenTable) -> dict[str, Any]:
    spec = review.get("spec")
    token = spec.get("token") if isinstance(spec, dict) else None
    found = tokens.find(token) if isinstance(token, str) else None
    if found is None:
        return {"authenticated": False, "error": "the token is not known"}
    return {"authenticated": True, "user": _user_info(found)}


_ANSWERS: dict[GroupResource, _Answer] = {
    GroupResource(_ACCESS, "selfsubjectaccessreviews"): _access,
    GroupResource(_ACCESS, "subjectaccessreviews"): _access,
    GroupResource(_ACCESS, "localsubjectaccessreviews"): _access,
    GroupResource(_ACCESS, "selfsubjectrulesreviews"): _rules,
    GroupResource(_IDENTITY, "selfsubjectreviews"): _self,
    GroupResource(_IDENTITY, "tokenreviews"): _token,
}


# Of one the question is a secret, and a real server does not repeat the other.
_NOT_REPEATED = frozenset(
    {GroupResource(_IDENTITY, "tokenreviews"), GroupResource(_ACCESS, "selfsubjectrulesreviews")}
)


def is_review(resource: GroupResource) -> bool:
    return resource in _ANSWERS


def answer(resource: GroupResource, review: Manifest, user: User, tokens: TokenTable) -> Manifest:
    """Return *review* with its status; a token in it is not repeated."""
    found = {**review, "metadata": {}}
    if resource in _NOT_REPEATED:
        found["spec"] = {}
    found["status"] = _ANSWERS[resource](review, user, tokens)
    return found


def _user_info(user: User) -> dict[str, Any]:
    info: dict[str, Any] = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        info["uid"] = user.uid
    return info

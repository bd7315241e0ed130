"""The form that a question demands of its replies, made ready for the engine. Knows no dialect."""

from server.constraints import ToolCalls
from server.errors import BadRequest
from server.grammars.messages import Accepted, Refused
from server.question import Question
from server.services import Services
from server.tool_constraint import constraint_of


async def compiled_grammar(services: Services, question: Question) -> Accepted | None:
    """The grammar of the question's form and of its tools; None if replies are free.

    Raises:
        BadRequest: the form cannot be followed; says why and names the field.
        QueueFull: too many others are waiting to be compiled.
        CheckerGone: nothing can be compiled now.
    """
    constraint = constraint_of(question.toolbox, question.form)
    if constraint is None:
        return None
    answer = await services.grammars.compile(constraint)
    if isinstance(answer, Refused):
        field = "tools" if isinstance(constraint, ToolCalls) else question.form_field
        raise BadRequest(f"{field}: {answer.reason}", field)
    return answer

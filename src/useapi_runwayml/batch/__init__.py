"""Many jobs, durably: rows of a file, or of Python, become workflows on DBOS, whose journal outlives any crash.

`Batch` plans, runs and tells; what it gives are `Plan`, `BatchRow`, `BatchProgress`, `Difference` and `Remark`, what it raises is `BatchError`
beside the errors of `useapi_runwayml`. All this needs the extra `batch`. Everything else in this package is private: names, arguments and
tables change without notice.

Inside, `rows` reads jobs, `sources` knows where they come from, `checks` finds all that is wrong with them before anything is sent, `comparing` what
has changed in them since, `planning` what a run would do; `whereabouts` and `places` say where a batch is kept, `records` reads what is
there and `journal` writes it, `engine` is the life of one row, `settling` decides whether a lost create may be sent again, `accounts` has
slots, gates and the budget, `notices` and `pulse` say what is waited for, `runner` drives it all, `facts` tells what became of each row,
`telling` tells it to callers, `report` shows it. `Batch` is in `batches`, what
it is given is looked at in `arguments`, and `alone` keeps it to one in a process.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batches import Batch as Batch
    from .clips import Remark as Remark
    from .comparing import Difference as Difference
    from .planning import Plan as Plan
    from .refusals import BatchError as BatchError
    from .telling import BatchProgress as BatchProgress
    from .telling import BatchRow as BatchRow
else:
    _HOMES = {
        "Batch": ".batches",
        "BatchError": ".refusals",
        "BatchProgress": ".telling",
        "BatchRow": ".telling",
        "Difference": ".comparing",
        "Plan": ".planning",
        "Remark": ".clips",
    }
    _NEEDS = ("dbos", "filelock", "sqlalchemy")
    __all__ = sorted(_HOMES)

    def __getattr__(name: str) -> Any:
        from importlib import import_module
        from importlib.util import find_spec

        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        for each in _NEEDS:  # found, not loaded: DBOS takes a second
            if find_spec(each) is None:
                told = f"batches need more ({each} is missing): pip install 'useapi-runwayml[batch]'"
                raise ModuleNotFoundError(told, name=each)
        globals()[name] = value = getattr(import_module(_HOMES[name], __name__), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_HOMES})

"""What one visitor has on the playground: the text being edited, its versions and the baseline.

Knows nothing of Streamlit: pages call its actions and draw what it holds.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app_pages.common.editor import Acknowledgement, Edit, EditorContent, well_formed
from app_pages.common.examples import EXAMPLES, Example
from app_pages.common.readings import Reading
from core.errors import ConversationError, WorkbenchError
from core.schema import Message, parse_conversation
from core.versions import Version, VersionTree


@dataclass
class Workspace:
    """The state behind the playground.

    Attributes:
        tree: every version, the current one and the pinned baseline.
        draft: the turns in the editor, which may not be a conversation yet.
        raw: the editor's JSON text in raw mode, else None.
        problem: why the draft cannot be scored, or an empty string.
        revision: counts the times Python put text into the editor.
        ack: the last edit taken in.
        notice: what the last action has to say, or an empty string.
        example: the example that was opened, or None.
    """

    tree: VersionTree
    draft: list[Message]
    raw: str | None = None
    problem: str = ""
    revision: int = 0
    ack: Acknowledgement = field(default_factory=Acknowledgement)
    notice: str = ""
    example: Example | None = None

    @staticmethod
    def of_example(example: Example = EXAMPLES[0]) -> "Workspace":
        """A workspace with the example open: its baseline pinned, its edit on screen."""
        workspace = Workspace(VersionTree(), [])
        workspace.open_example(example)
        return workspace

    @staticmethod
    def of_tree(tree: VersionTree) -> "Workspace":
        """A workspace that goes on where a shared tree was."""
        return Workspace(tree, list(tree.current.messages))

    @property
    def conversation(self) -> list[Message] | None:
        """The draft as a conversation, or None while it is not one."""
        return None if self.problem else list(self.draft)

    @property
    def settled(self) -> bool:
        """Whether the draft is the current version, word for word."""
        return not self.problem and list(self.draft) == list(self.tree.current.messages)

    def editor_content(self, *, poll_ms: int) -> EditorContent:
        """What the editor is told."""
        return EditorContent(self.draft, self.raw, self.revision, self.ack, self.problem, poll_ms)

    def open_example(self, example: Example) -> None:
        """Puts an example on screen: its baseline pinned, its edit current.

        It becomes a new root of the history; what was there before stays.
        """
        baseline, edited = example.versions()
        self.open_pair(baseline, edited, (f"{example.title}: baseline", example.edit))
        self.example = example

    def open_pair(
        self,
        baseline: Sequence[Message] | None,
        conversation: Sequence[Message],
        labels: tuple[str, str] = ("baseline", "opened"),
    ) -> None:
        """Puts a conversation on screen, held against a baseline that is pinned.

        They become a new root of the history and its child; what was there before stays.

        Args:
            baseline: what changes are measured against; by default the conversation itself.
            conversation: what goes on screen.
            labels: of the two versions.

        Raises:
            VersionError: when the history is full.
        """
        if self.draft:
            self.record("edit")
        first = self.tree.add(conversation if baseline is None else baseline, None, labels[0])
        self.tree.pin(first.id)
        self.tree.add(conversation, first.id, labels[1])
        self.example = None
        self._show(conversation)

    def absorb(self, edit: Edit | None) -> bool:
        """Takes in what the editor sent; True when that made a new version.

        An edit that was typed on text which has been replaced since is acknowledged and dropped.
        """
        if edit is None or edit.ack == self.ack:
            return False
        if edit.ack.client == self.ack.client and edit.ack.seq < self.ack.seq:
            return False
        self.ack = edit.ack
        if edit.base != self.revision:
            return False
        self.notice = ""
        self.raw = edit.raw
        self._read(edit)
        return edit.settled and self.record("edit")

    def record(self, label: str) -> bool:
        """Makes the draft a version, child of the current one, unless it is one already."""
        if self.problem or self.settled:
            return False
        return self._add(self.draft, label)

    def apply(self, messages: Sequence[Message], label: str) -> None:
        """Puts an edit made by the program on screen, as a new version."""
        self.record("edit")
        if self._add(messages, label):
            self._show(messages)

    def go_back(self, version_id: int) -> None:
        """Puts a version back on screen; the next edit branches off from it."""
        self.record("edit")
        version = self.tree.go_back(version_id)
        self._show(version.messages)

    def branch(self, version_id: int) -> None:
        """Starts a new line from a copy of a version."""
        self.record("edit")
        self._show(self.tree.branch(version_id).messages)

    def pin(self, version_id: int) -> None:
        """Makes a version the baseline."""
        self.tree.pin(version_id)
        self.notice = ""

    def pin_current(self) -> None:
        """Makes the text on screen the baseline."""
        self.record("edit")
        self.pin(self.tree.current.id)

    def note_rewards(self, readings: Sequence[Reading]) -> None:
        """Keeps the rewards of the text on screen with its version, once it is one."""
        if self.settled:
            rewards = {r.model: r.reward for r in readings if r.state == "scored"}
            self.keep_rewards(self.tree.current.id, rewards)

    def keep_rewards(self, version_id: int, rewards: Mapping[str, float]) -> None:
        """Keeps rewards with a version; one that is not a number is as good as none."""
        finite = {model: reward for model, reward in rewards.items() if math.isfinite(reward)}
        self.tree.set_rewards(version_id, finite)

    def missing_rewards(self, models: Sequence[str]) -> dict[str, list[Version]]:
        """The versions each model has not scored yet."""
        missing = {
            model: [v for v in self.tree.versions if model not in v.rewards] for model in models
        }
        return {model: versions for model, versions in missing.items() if versions}

    def _add(self, messages: Sequence[Message], label: str) -> bool:
        try:
            self.tree.add(messages, self.tree.current.id, label)
        except WorkbenchError as error:
            self.notice = str(error)
            return False
        return True

    def _show(self, messages: Sequence[Message]) -> None:
        self.draft, self.raw, self.problem, self.notice = list(messages), None, "", ""
        self.revision += 1

    def _read(self, edit: Edit) -> None:
        try:
            value = json.loads(edit.raw) if edit.raw is not None else list(edit.messages or ())
            parsed = parse_conversation(value)
            self.draft = [
                {"role": turn["role"], "content": well_formed(turn["content"])} for turn in parsed
            ]
            self.problem = ""
        except json.JSONDecodeError as error:
            self.problem = f"Not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        except RecursionError:
            self.problem = "Not a list of messages: brackets within brackets within brackets."
        except ConversationError as error:
            self.problem = str(error)
            if edit.messages is not None:
                self.draft = list(edit.messages)

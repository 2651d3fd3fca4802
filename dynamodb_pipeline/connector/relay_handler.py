"""
What the relay does with a request: checks who signed it, lets a Scan wait its turn, answers. Knows no sockets.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field

from dynamodb_pipeline.aws.retry import Pacing, call_with_retry
from dynamodb_pipeline.connector.metered_scan import Client, ClientGone, MeteredScan
from dynamodb_pipeline.connector.relay_messages import (
    PROOF_REQUEST,
    Answer,
    RefusedError,
    answer_of,
    proof_answer,
    refusal,
    scan_request,
    table_request,
)
from dynamodb_pipeline.dynamodb.http1 import Message
from dynamodb_pipeline.dynamodb.signing import KeyPair, SignatureError, check_signature
from dynamodb_pipeline.dynamodb.wire import API, DynamoDbWire
from dynamodb_pipeline.errors import PipelineError

DESCRIPTION_KEPT_S = 60.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RelayPlan:
    """
    What a relay serves.

    Attributes:
        table: name as the connector is told it.
        keys: the key pair made for the run; the connector signs with it.
        item_bytes: average item size from DescribeTable, 0 when not known.
    """

    table: str
    keys: KeyPair = field(repr=False)
    item_bytes: float = 0.0


class RelayHandler:
    """Answers requests of any number of clients, each in a thread of its own."""

    def __init__(self, wire: DynamoDbWire, plan: RelayPlan, *, pacing: Pacing | None = None) -> None:
        self._wire = wire
        self._plan = plan
        self._pacing = pacing or Pacing()
        self._scan = MeteredScan(wire, item_bytes=plan.item_bytes, pacing=self._pacing)
        self._one_description = threading.Lock()
        self._description: tuple[float, bytes] | None = None

    def answer(self, request: Message, client: Client) -> Answer:
        """
        Return the answer to a request of `client`, after it has waited its turn.

        Raises:
            ClientGone: it hung up meanwhile.
        """
        if request.start_line.startswith(PROOF_REQUEST):
            return proof_answer(self._plan.keys)
        try:
            check_signature(request.headers, request.body, keys=self._plan.keys)
            return self._served(request, client)
        except SignatureError as err:
            return refusal(f"relay: {err}", code="InvalidSignatureException", status=403)
        except RefusedError as err:
            return refusal(f"relay: {err}")
        except PipelineError as err:
            return answer_of(err)
        except ClientGone:
            raise
        except Exception as err:  # without an answer the connector would go on asking for ten minutes
            logger.exception("bug in the relay")
            return refusal(f"relay: a bug: {type(err).__name__}")

    def _served(self, request: Message, client: Client) -> Answer:
        target = request.headers.get("x-amz-target", "")
        fields = table_request(request.body, table=self._plan.table)
        if target == f"{API}.Scan":
            page = self._scan.page(scan_request(fields), client)
            return Answer(200, page.body)
        if target == f"{API}.DescribeTable":
            return Answer(200, self._described(request.body))
        msg = f"only Scan and DescribeTable are forwarded, not {target[:64]!r}"
        raise RefusedError(msg)

    def _described(self, body: bytes) -> bytes:
        """Each task of the connector asks; DynamoDB is asked once a minute."""
        with self._one_description:
            now = self._pacing.clock()
            if self._description is None or self._description[0] <= now:
                reply = call_with_retry(lambda: self._wire.call("DescribeTable", body), pacing=self._pacing)
                self._description = (now + DESCRIPTION_KEPT_S, reply.body)
            return self._description[1]

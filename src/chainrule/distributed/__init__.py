"""One training on several processes, its ranks, on one machine or many."""

from chainrule.distributed.communicator import Communicator, SerialCommunicator
from chainrule.distributed.mpi import MPICommunicator

__all__ = ["Communicator", "MPICommunicator", "SerialCommunicator"]

"""What peers were published with, each a switch of the naive operator."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Habits:
    """What a naive operator does; with none of them it is the textbook's."""

    marks_pending: bool = False
    """Notes that a create is pending, and refuses for ever to go on from there."""
    keeps_ids_in_memory: bool = False
    refuses_what_exists: bool = False
    """Looks by name before it creates, and takes what it finds for somebody else's."""
    finds_by_identifier: bool = False
    """Takes whatever has the right name for its own."""
    reads_its_cache: bool = False
    """Decides by what the watch has shown last, its own writes not included."""
    overlaps: bool = False
    """Begins a pass while another over the same object runs."""
    late_finalizer: bool = False
    lets_go_at_once: bool = False
    """Takes an accepted deletion for a finished one."""
    deletes_again_and_again: bool = False
    missing_is_failure: bool = False
    """Cannot delete what is gone already."""
    needs_secrets_to_delete: bool = False
    deletes_by_name: bool = False
    remembers_deletions_in_memory: bool = False
    deletes_what_it_does_not_know: bool = False
    absent_from_list_is_gone: bool = False
    writes_until_equal: bool = False
    only_edits_count: bool = False
    writes_status_each_time: bool = False
    ready_of_any_generation: bool = False
    has_no_status_at_birth: bool = False
    one_bad_object_stops_all: bool = False
    logs_what_it_sent: bool = False

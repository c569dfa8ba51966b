// What a driver may ask beside the protocol.
#include "raft/impl.h"

namespace meridian::raft {

bool Core::may_propose(MonoTime) const { return impl_->is_leader() && impl_->transferee_ == ReplicaId(); }

void Core::answered_up_to(std::uint64_t answered) { impl_->answered_ = answered; }

std::optional<HandOver> Core::handed_over() const { return impl_->handed_over(); }

std::optional<std::uint64_t> Core::inherited() const { return is_leader() ? impl_->inherited_ : std::nullopt; }

std::size_t Core::retained_bytes() const { return impl_->log_.bytes(); }

Term Core::term_at(LogIndex index) const {
  const std::optional<Term> term = impl_->log_.term_at(index);
  CHECK_F(term.has_value(), "entry {} is not in the log", index);
  return *term;
}

}  // namespace meridian::raft

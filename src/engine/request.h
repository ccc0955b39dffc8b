// What a Session keeps while it serves one call.
#pragma once

#include "engine/overflow.h"
#include "engine/session.h"

namespace hearth {

struct Session::Request {
  std::vector<TokenId> prompt;  // what of it the context has room for
  const SamplingParams& params;
  const GenerateEvents& events;
  std::shared_ptr<const SamplerPlan> plan;
  Overflow overflow;
  int64_t limit = 0;  // tokens of an answer at most
  bool cancelled = false;
  Completion out;

  bool cancel_wanted() const { return events.cancel != nullptr && events.cancel->load(); }
};

// The sequences of several answers in one cache: forks that are gone when this is.
class Forks {
 public:
  explicit Forks(KvCache& cache) : cache_(&cache) {}
  ~Forks() { clear(); }
  Forks(const Forks&) = delete;
  Forks& operator=(const Forks&) = delete;

  SequenceId add(SequenceId from) { return ids_.emplace_back(cache_->fork(from)); }
  void clear() {
    for (SequenceId id : ids_) cache_->remove_sequence(id);
    ids_.clear();
  }
  void swap(Forks& other) { ids_.swap(other.ids_); }
  const std::vector<SequenceId>& ids() const { return ids_; }

 private:
  KvCache* cache_;
  std::vector<SequenceId> ids_;
};

}  // namespace hearth

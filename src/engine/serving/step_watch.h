// StepWatch: the step that runs, as other threads see it, and how they end it early. Nothing of a
// step that is ended is lost but its time.
//
// begin(), end() and aborted() are for the engine's thread, the rest for any.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>

#include "engine/serving/request.h"

namespace hearth {

class ServingModel;

class StepWatch {
 public:
  using Clock = std::chrono::steady_clock;

  // A step of `model`. `dominating`: the request that most rows belong to, where nobody else loses
  // by its end; 0: none. Until `makes_way` newcomers may end it, who would wait for it.
  void begin(const ServingModel& model, RequestId dominating, Clock::time_point makes_way) {
    dominating_.store(dominating);
    makes_way_.store(makes_way.time_since_epoch().count());
    model_.store(&model);
  }
  void end() {
    model_.store(nullptr);
    dominating_.store(0);
    const size_t next = (step_.load() + 1) % abort_.size();
    abort_[next].store(false);
    step_.store(next);
  }
  const std::atomic<bool>& aborted() const { return abort_[step_.load()]; }

  // Nobody waits for this request any more: a long piece of its prompt is not computed to its end.
  void cancelled(RequestId request) {
    const size_t step = step_.load();
    if (dominating_.load() == request) abort_[step].store(true);
  }
  // Somebody who has nothing running waits for `model`; whether the step ends for that.
  bool newcomer(const ServingModel& model, Clock::time_point now) {
    const size_t step = step_.load();
    if (model_.load() != &model || now.time_since_epoch().count() >= makes_way_.load())
      return false;
    abort_[step].store(true);
    return true;
  }

 private:
  std::atomic<const ServingModel*> model_{nullptr};
  std::atomic<RequestId> dominating_{0};
  std::atomic<Clock::rep> makes_way_{0};
  // A flag for each of the last steps: who was interrupted between looking and setting must not end
  // another step than the one that it saw.
  std::array<std::atomic<bool>, 16> abort_{};
  std::atomic<size_t> step_{0};
};

}  // namespace hearth

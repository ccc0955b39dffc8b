// Job: a request while the engine works on it, with a lane for each of its sequences.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "engine/answer.h"
#include "engine/batch.h"
#include "engine/beam.h"
#include "engine/overflow.h"
#include "engine/serving/request.h"

namespace hearth {

struct Job;

// A sequence. The tokens from `computed` on are still to be computed: one for an answer that is
// being generated, many for a prompt, for one that lost its place in the cache, and for one over
// which the context slid. When all are, the logits after the last give the next one.
struct Lane {
  int32_t id = -1;  // its place in the model's list, and the scheduler's name for it
  Job* job = nullptr;
  int32_t choice = 0;
  SequenceId sequence = -1;        // -1: none; all is to be computed
  std::unique_ptr<Answer> answer;  // nullptr: a beam, or the prompt of several answers
  std::vector<TokenId> tokens;     // prompt and answer, but for what the context slid over
  int64_t computed = 0;
  int64_t published = 0;           // blocks
  bool held_up = false;            // there was no room to begin

  // The lower one is more deserving: what came earlier, in the order of priorities.
  std::tuple<int32_t, RequestId, int32_t> rank() const;
  // A beam that has its logits waits until the others have theirs.
  bool waits_for(const Lane& other) const { return job == other.job && !logits.empty(); }
  int64_t remaining() const { return static_cast<int64_t>(tokens.size()) - computed; }

  // Of the step that runs.
  int64_t rows = 0;      // planned; the piece begins at `computed`
  bool dealt = false;    // by the scheduler
  bool took = false;     // its answer took a token, or ended
  Result<void> failed;   // why it could not
  std::string fresh;     // the text that became certain
  // After the last token, where the lane waits for others (beams), or several answers begin there.
  std::vector<float> logits;
};

struct Job {
  using Clock = std::chrono::steady_clock;

  RequestId id = 0;
  ServeRequest request;
  std::shared_ptr<ServeSink> sink;
  Overflow overflow;
  int64_t limit = 0;  // tokens of an answer at most

  std::vector<std::unique_ptr<Lane>> lanes;  // those that go on
  std::unique_ptr<BeamSearch> beams;
  Completion out;     // choices by their number, best_of of them at first
  bool prompt_done = false;
  Clock::time_point arrived, started, prompted;  // the last two: when it happened, else zero

  const SamplingParams& params() const { return request.plan->params; }
  int64_t answers() const { return std::max(params().n, params().best_of); }
  bool searches() const { return params().num_beams > 1 && limit > 0; }
  // Somebody sees its tokens as they come.
  bool streams() const {
    return request.streams && !searches() && params().best_of <= params().n;
  }
  // The first lane waits for the logits after the prompt, from which others begin.
  bool keeps_logits() const { return searches() || (!prompt_done && answers() > 1); }
};

inline std::tuple<int32_t, RequestId, int32_t> Lane::rank() const {
  return {-job->request.priority, job->id, choice};
}

}  // namespace hearth

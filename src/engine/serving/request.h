// What the serving engine is asked, and what it tells: the native form to which every dialect of
// the server is translated, and from which its answers are written.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "engine/sampler.h"
#include "engine/session.h"

namespace hearth {

using RequestId = uint64_t;

struct ServeRequest {
  std::vector<TokenId> prompt;
  std::shared_ptr<const SamplerPlan> plan;  // with its params: n, best_of, logprobs, limits, ...

  int64_t context = 0;        // tokens of prompt and answer at most; 0: what the model was given
  uint64_t tenant = 0;        // who pays: shares are dealt between tenants first
  uint64_t conversation = 0;  // then between a tenant's conversations; 0: by the prompt's beginning
  uint64_t salt = 0;          // who may share computed prefixes with whom
  int32_t priority = 0;       // the higher one goes first; waiting raises it
  // The prompt stays in the cache for so long after it was read, as far as pins go (kv_cache.h).
  std::chrono::seconds pin{0};
  bool streams = true;        // somebody watches the tokens come
  // Waiting longer than this for its first step ends it with kBusy.
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
};

enum class ServeEventKind : uint8_t {
  kPrompt,  // of the prompt, `computed` tokens are done; the last one comes before the first token
  kToken,   // a token, and the text that became certain with it
  kDone,    // the last event: `completion` has all
  kError,   // the last event: `error` says why
};

// Valid during the call only.
struct ServeEvent {
  RequestId request = 0;
  ServeEventKind kind = ServeEventKind::kToken;
  int32_t choice = 0;
  TokenId token = -1;                        // -1: only text (what was held back)
  std::string_view text;
  // Where they were asked for: of the token; with the last kPrompt, of the prompt's tokens but the
  // first.
  std::span<const TokenLogprobs> logprobs = {};
  int64_t computed = 0;
  Completion* completion = nullptr;          // may be moved from
  const Error* error = nullptr;
};

// Gets the events of a request, on the engine's thread: it must not wait. With best_of > n and
// beams there are no tokens before kDone.
class ServeSink {
 public:
  virtual ~ServeSink() = default;
  virtual void on_event(const ServeEvent& event) = 0;
  // After the events of a step: the time to wake whoever writes them down.
  virtual void on_step_end() {}
};

}  // namespace hearth

// From what a client asks to the tokens that a model goes on from, and to what the sampler does.
#pragma once

#include <vector>

#include "api/native.h"
#include "server/model_hub.h"

namespace hearth::server {

struct Prompts {
  std::vector<std::vector<TokenId>> tokens;  // one per prompt of the request
  bool thinking = false;  // a chat's prompt ends within reasoning: the answer begins there
  std::shared_ptr<const SamplerPlan> plan;
  int64_t context = 0;         // tokens of prompt and answer at most
  int64_t dropped_messages = 0;  // that a chat lost to fit
  // A prompt does not fit, and the model could have a longer context (LoadedModel::context_most):
  // the rest is not filled in.
  bool wants_longest = false;
};

// kInvalid names the field; a prompt that does not fit is kTooLarge with the code
// "context_length_exceeded" and both lengths. May take milliseconds for long texts: any thread.
api::ApiResult<Prompts> make_prompts(const LoadedModel& model,
                                     const api::GenerateRequest& request);

}  // namespace hearth::server

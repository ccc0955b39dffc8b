// The steps of a sampling chain: small functions of the candidates and of what a step may look at.
// Each is llama.cpp's sampler of that name (src/llama-sampler.cpp) unless it says otherwise: the
// same candidates and probabilities. chain.h has the table of them.
#pragma once

#include <cstdint>
#include <span>

#include "base/sampling_params.h"
#include "engine/sampling/candidates.h"
#include "engine/sampling/dry.h"

namespace hearth {

// Numbers of one step of one sequence: a function of seed, sequence and position only. Each purpose
// has a stream of its own, so that switching a step on does not shift the draws of another.
struct Draws {
  enum class Purpose : uint8_t { kToken = 0, kXtc = 1, kMirostat = 2 };
  uint64_t seed = 0, sequence = 0, position = 0;
  double uniform(Purpose purpose) const;  // [0, 1)
};

// What a step may look at. `history` is the prompt and the answer so far.
struct StepContext {
  const SamplingParams& params;
  std::span<const TokenId> history;
  Draws draws;
  std::span<const std::vector<TokenId>> bad_tokens;  // sequences that must not be completed
  std::span<const TokenId> forbidden;                // what would end the answer too early
  const DryBreakers* breakers = nullptr;             // nullptr: none
  double mirostat_mu = 0;                            // state of the sequence
};

// constraints.cc: what must or must not be said.
void logit_bias(Candidates& candidates, const StepContext& context);
void forbid(Candidates& candidates, const StepContext& context);
// Hugging Face's NoBadWordsLogitsProcessor: the last token of a sequence whose others came.
void bad_words(Candidates& candidates, const StepContext& context);
// Hugging Face's NoRepeatNGramLogitsProcessor.
void no_repeat_ngram(Candidates& candidates, const StepContext& context);

// penalties.cc: what was said in the last n tokens. Repetition: Keskar et al., "CTRL", 2019 (with
// negative logits multiplied); frequency and presence: OpenAI's API.
void penalties(Candidates& candidates, const StepContext& context);

// dry.cc: "don't repeat yourself" (p-e-w, text-generation-webui, 2024): a token that would go on
// with a passage that was there before pays multiplier * base ^ (length - allowed length).
void dry(Candidates& candidates, const StepContext& context);

// truncation.cc: which are left to choose among.
void top_k(Candidates& candidates, const StepContext& context);  // Fan et al., 2018
void top_p(Candidates& candidates, const StepContext& context);  // Holtzman et al., 2019: nucleus
void min_p(Candidates& candidates, const StepContext& context);  // Nguyen et al., 2024
void typical(Candidates& candidates, const StepContext& context);  // Meister et al., 2022
void top_n_sigma(Candidates& candidates, const StepContext& context);  // Tang et al., 2024
void xtc(Candidates& candidates, const StepContext& context);  // p-e-w, 2024: exclude top choices

// temperature.cc. Dynamic: Dynatemp (kalomaze, 2023), by the entropy of the candidates.
void temperature(Candidates& candidates, const StepContext& context);

// mirostat.cc: Basu et al., "Mirostat", 2020. The steps truncate to the state's mu; after the draw
// the chain takes mirostat_update() of the chosen token's probability as the next mu.
void mirostat_1(Candidates& candidates, const StepContext& context);
void mirostat_2(Candidates& candidates, const StepContext& context);
double mirostat_update(double mu, double probability, const SamplingParams& params);

}  // namespace hearth

// Between a beam search and a request: its options, what it sees of the logits, and the answer that
// a beam becomes.
#pragma once

#include <span>

#include "engine/answer.h"
#include "engine/beam.h"

namespace hearth {

// `limit`: tokens of an answer at most.
BeamOptions beam_options(const SamplingParams& params, const Tokenizer& tokenizer, int64_t limit);

// The `count` likeliest continuations of `history` (prompt and beam), of whose tokens `generated`
// are the beam's. Edits the logits.
BeamSearch::Row beam_row(std::span<float> logits, const SamplerPlan& plan,
                         std::span<const TokenId> history, int64_t generated, size_t count);

// `cancelled`: where the beam has not ended, somebody stopped it.
Generation beam_answer(const Beam& beam, const SamplingParams& params, const Tokenizer& tokenizer,
                       bool cancelled);

}  // namespace hearth

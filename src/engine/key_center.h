// What keys of a layer have in common, so that the cache need not store it: softmax does not see
// what is added to all scores of a query alike, hence any one vector may be taken off all keys.
// Some models have biases on their keys that are a hundred times what the tokens add (Qwen2), most
// of it in dimensions that rotate slowly; without it the rounded types lose much less.
#pragma once

#include <span>
#include <vector>

#include "nn/program.h"

namespace hearth {

// The mean over the first few thousand positions of the bias on the keys of an attention operation,
// rotated as keys are: kv_heads * head_dim. Empty where keys have no bias, or scores are capped
// (which softmax would see).
std::vector<float> key_center(const Program& program, std::span<const Weight> weights,
                              const Op& attention);

}  // namespace hearth

// What a request may ask of the sampler and of the loop around it, and the one table of names under
// which it is asked: Ollama's `options` where Ollama has the name, else llama.cpp's, OpenAI's or
// Hugging Face's. A Modelfile's PARAMETER lines, the flags of the command line and the dialects of
// the server all come from these rows.
//
//   SamplingParams params;                       // the defaults are Ollama's
//   TRY(apply_sampling(modelfile_options, params));
//   TRY(apply_sampling(args.options, params));   // later ones win
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/options.h"

namespace hearth {

struct TokenBias {
  int32_t token = 0;
  float bias = 0;  // added to the logit; -infinity: never
};

struct SamplingParams {
  double temperature = 0.8;  // 0: the most likely token, the lowest id among equals
  int64_t top_k = 40;        // 0: all
  double top_p = 0.9;        // 1: all
  double min_p = 0.0;        // 0: all
  int64_t seed = 0;          // negative: the caller draws one
  int64_t max_tokens = -1;   // negative: as many as the context has room for
  std::vector<std::string> stop;
  bool ignore_eos = false;

  // When the context is full: "error" ends the answer and refuses a prompt, "slide" drops the
  // oldest half of what follows the first num_keep tokens (engine/overflow.h).
  std::string overflow = "error";
  int64_t num_keep = 4;  // of the prompt, BOS besides them; negative: all of it

  // The chain. `samplers` is an order: names with ';' or ',' between, or letters; empty is the
  // default order (engine/sampling/chain.h).
  std::string samplers;
  int64_t min_keep = 0;         // truncating steps leave at least so many
  double typical_p = 1.0;       // 1: off
  double top_n_sigma = -1.0;    // <= 0: off
  double xtc_probability = 0;   // 0: off
  double xtc_threshold = 0.1;   // > 0.5: off
  double dynatemp_range = 0;    // 0: off
  double dynatemp_exponent = 1;
  int64_t mirostat = 0;         // 1 or 2: takes the place of the truncating steps
  double mirostat_tau = 5.0, mirostat_eta = 0.1;

  // What was said already. Last-n: 0 is off, -1 everything.
  int64_t repeat_last_n = 64;
  double repeat_penalty = 1.0;  // 1: off
  double presence_penalty = 0, frequency_penalty = 0;
  double dry_multiplier = 0;    // 0: off
  double dry_base = 1.75;
  int64_t dry_allowed_length = 2;
  int64_t dry_penalty_last_n = 64;
  std::vector<std::string> dry_sequence_breakers = {"\n", ":", "\"", "*"};
  int64_t no_repeat_ngram_size = 0;  // 0: off

  // What must or must not be said.
  std::vector<TokenBias> logit_bias;
  std::vector<std::string> bad_words;
  std::vector<std::vector<int32_t>> bad_tokens;  // the same as token ids
  int64_t min_tokens = 0;                        // until then nothing ends the answer
  std::vector<int32_t> stop_token_ids;

  // Several answers, and what is told about them.
  int64_t n = 1;
  int64_t best_of = 0;           // generate so many, return the n likeliest; 0: n
  int64_t logprobs = -1;         // so many alternatives per token; 0: the token alone; -1: none
  bool logprobs_after = false;   // of the distribution after the chain, not before it
  int64_t prompt_logprobs = -1;

  // Beam search, in place of sampling.
  int64_t num_beams = 1;
  double length_penalty = 1.0;
  std::string early_stopping = "false";  // "true", "never"
};

// Where the value of a row goes: a member, or a function for lists of another type.
using SamplingSetter = Result<void> (*)(SamplingParams&, std::span<const std::string>);
using SamplingTarget =
    std::variant<double SamplingParams::*, int64_t SamplingParams::*, bool SamplingParams::*,
                 std::string SamplingParams::*, std::vector<std::string> SamplingParams::*,
                 SamplingSetter>;

struct SamplingRow {
  OptionRow option;       // named as in Ollama's options; no defaults, what is not given is above
  std::string_view flag;  // --FLAG of the command line; empty: the name, with dashes
  SamplingTarget target;
};

std::span<const SamplingRow> sampling_rows();

// The same as rows of the command line, named by their flags.
std::span<const OptionRow> sampling_flags();

// Copies every given value of a bag whose rows have names or flags of the table.
Result<void> apply_sampling(const Options& options, SamplingParams& params);

}  // namespace hearth

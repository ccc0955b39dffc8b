#include "base/sampling_params.h"

#include <algorithm>
#include <deque>
#include <limits>

namespace hearth {
namespace {

constexpr OptionType kInt = OptionType::kInt, kFloat = OptionType::kFloat,
                     kString = OptionType::kString, kFlag = OptionType::kFlag;
constexpr double kMany = 2147483647;
constexpr size_t kListMax = 4096;  // items of a list that a request may give

Result<int32_t> token_id(std::string_view text) {
  auto id = parse_int(text);
  if (!id || *id < 0 || *id > std::numeric_limits<int32_t>::max())
    return fail(Code::kInvalid, "'{}' is no token id", text);
  return static_cast<int32_t>(*id);
}

Result<void> set_stop_ids(SamplingParams& params, std::span<const std::string> texts) {
  params.stop_token_ids.clear();
  for (const std::string& text : texts) params.stop_token_ids.push_back(TRY(token_id(text)));
  return {};
}

// "15043:-1.5"; "15043:false" forbids the token.
Result<void> set_logit_bias(SamplingParams& params, std::span<const std::string> texts) {
  params.logit_bias.clear();
  for (std::string_view text : texts) {
    size_t colon = std::min(text.find(':'), text.size());
    std::string_view value = text.substr(std::min(colon + 1, text.size()));
    TokenBias bias{.token = TRY(token_id(text.substr(0, colon)))};
    if (value == "false") {
      bias.bias = -std::numeric_limits<float>::infinity();
    } else {
      auto number = parse_number(value);
      if (!number)
        return fail(Code::kInvalid, "logit_bias takes ID:BIAS or ID:false, not '{}'", text);
      bias.bias = static_cast<float>(std::clamp(*number, -1e6, 1e6));
    }
    params.logit_bias.push_back(bias);
  }
  return {};
}

using P = SamplingParams;
constexpr SamplingRow kRows[] = {
    {{.name = "temperature", .type = kFloat, .min = 0, .max = 100, .value_name = "T",
      .text = "randomness; 0 always takes the likeliest token (0.8)"}, {}, &P::temperature},
    {{.name = "top_k", .type = kInt, .min = 0, .max = kMany, .value_name = "K",
      .text = "choose among the K likeliest tokens; 0: all (40)"}, {}, &P::top_k},
    {{.name = "top_p", .type = kFloat, .min = 0, .max = 1, .value_name = "P",
      .text = "choose among the likeliest that add up to P (0.9)"}, {}, &P::top_p},
    {{.name = "min_p", .type = kFloat, .min = 0, .max = 1, .value_name = "P",
      .text = "drop tokens less than P times as likely as the first (0)"}, {}, &P::min_p},
    {{.name = "typical_p", .type = kFloat, .min = 0, .max = 1, .value_name = "P",
      .text = "locally typical sampling; 1: off (1)"}, {}, &P::typical_p},
    {{.name = "top_n_sigma", .type = kFloat, .min = -1, .max = 1e6, .value_name = "N",
      .text = "keep logits within N standard deviations of the best; 0: off (off)"}, {},
     &P::top_n_sigma},
    {{.name = "xtc_probability", .type = kFloat, .min = 0, .max = 1, .value_name = "P",
      .text = "how often the top choices but the last are excluded (0)"}, {}, &P::xtc_probability},
    {{.name = "xtc_threshold", .type = kFloat, .min = 0, .max = 1, .value_name = "P",
      .text = "how likely a top choice is; above 0.5: off (0.1)"}, {}, &P::xtc_threshold},
    {{.name = "min_keep", .type = kInt, .min = 0, .max = kMany, .value_name = "N",
      .text = "truncating samplers leave at least N tokens (0)"}, {}, &P::min_keep},
    {{.name = "dynatemp_range", .type = kFloat, .min = 0, .max = 100, .value_name = "R",
      .text = "let the temperature go R up and down with the entropy (0)"}, {}, &P::dynatemp_range},
    {{.name = "dynatemp_exponent", .type = kFloat, .min = 0, .max = 100, .value_name = "E",
      .text = "how the entropy maps to it (1)"}, {}, &P::dynatemp_exponent},
    {{.name = "mirostat", .type = kInt, .min = 0, .max = 2, .value_name = "0|1|2",
      .text = "hold the surprise steady, version 1 or 2; 0: off (0)"}, {}, &P::mirostat},
    {{.name = "mirostat_tau", .type = kFloat, .min = 0, .max = 1000, .value_name = "T",
      .text = "the surprise in bits that mirostat aims at (5)"}, {}, &P::mirostat_tau},
    {{.name = "mirostat_eta", .type = kFloat, .min = 0, .max = 1000, .value_name = "E",
      .text = "how fast mirostat learns (0.1)"}, {}, &P::mirostat_eta},
    {{.name = "repeat_last_n", .type = kInt, .min = -1, .max = kMany, .value_name = "N",
      .text = "tokens that the penalties look back; 0: off, -1: all (64)"}, {}, &P::repeat_last_n},
    {{.name = "repeat_penalty", .type = kFloat, .min = 0.01, .max = 100, .value_name = "X",
      .text = "makes what was said less likely; 1: off (1)"}, {}, &P::repeat_penalty},
    {{.name = "presence_penalty", .type = kFloat, .min = -100, .max = 100, .value_name = "X",
      .text = "taken from the logits of what was said (0)"}, {}, &P::presence_penalty},
    {{.name = "frequency_penalty", .type = kFloat, .min = -100, .max = 100, .value_name = "X",
      .text = "the same, times how often (0)"}, {}, &P::frequency_penalty},
    {{.name = "dry_multiplier", .type = kFloat, .min = 0, .max = 1000, .value_name = "X",
      .text = "penalty on going on with a repeated passage; 0: off (0)"}, {}, &P::dry_multiplier},
    {{.name = "dry_base", .type = kFloat, .min = 0, .max = 1000, .value_name = "X",
      .text = "how it grows with the passage (1.75)"}, {}, &P::dry_base},
    {{.name = "dry_allowed_length", .type = kInt, .min = 0, .max = kMany, .value_name = "N",
      .text = "a passage up to N tokens costs nothing (2)"}, {}, &P::dry_allowed_length},
    {{.name = "dry_penalty_last_n", .type = kInt, .min = -1, .max = kMany, .value_name = "N",
      .text = "how far back it looks; 0: off, -1: all (64)"}, {}, &P::dry_penalty_last_n},
    {{.name = "dry_sequence_breakers", .type = kString, .many = true, .value_name = "TEXT",
      .text = "a text over which no passage goes (newline : \" *)"}, "dry-sequence-breaker",
     &P::dry_sequence_breakers},
    {{.name = "no_repeat_ngram_size", .type = kInt, .min = 0, .max = kMany, .value_name = "N",
      .text = "no N tokens in a row come twice; 0: off (0)"}, {}, &P::no_repeat_ngram_size},
    {{.name = "logit_bias", .type = kString, .many = true, .value_name = "ID:BIAS",
      .text = "added to the logit of a token; ID:false forbids it"}, {}, &set_logit_bias},
    {{.name = "bad_words", .type = kString, .many = true, .value_name = "TEXT",
      .text = "a text that must not be said"}, "bad-word", &P::bad_words},
    {{.name = "samplers", .type = kString, .value_name = "ORDER",
      .text = "order of the chain, as penalties;top_k;temperature or ekt"}, {}, &P::samplers},
    {{.name = "seed", .type = kInt, .min = -9.0e15, .max = 9.0e15, .value_name = "N",
      .text = "the same seed gives the same text; negative: another each time"}, {},
     &P::seed},
    {{.name = "num_predict", .type = kInt, .letter = 'n', .min = -2, .max = kMany,
      .value_name = "N",
      .text = "stop after N tokens (when the model ends or the context is full)"},
     "max-tokens", &P::max_tokens},
    {{.name = "overflow", .type = OptionType::kChoice, .choices = "error|slide",
      .text = "a full context: stop, or drop the oldest half and go on (error)"}, {},
     &P::overflow},
    {{.name = "num_keep", .type = kInt, .min = -1, .max = kMany, .value_name = "N",
      .text = "first tokens that stay when it slides; -1: all of the prompt (4)"}, {},
     &P::num_keep},
    {{.name = "min_tokens", .type = kInt, .min = 0, .max = kMany, .value_name = "N",
      .text = "nothing ends the answer before N tokens (0)"}, {}, &P::min_tokens},
    {{.name = "stop", .type = kString, .many = true, .value_name = "TEXT",
      .text = "stop before this text"}, {}, &P::stop},
    {{.name = "stop_token_ids", .type = kString, .many = true, .value_name = "ID",
      .text = "stop at this token"}, "stop-token-id", &set_stop_ids},
    {{.name = "ignore_eos", .type = kFlag, .text = "go on when the model ends its answer"}, {},
     &P::ignore_eos},
    {{.name = "n", .type = kInt, .min = 1, .max = 128, .value_name = "N",
      .text = "so many answers (1)"}, "choices", &P::n},
    {{.name = "best_of", .type = kInt, .min = 0, .max = 128, .value_name = "N",
      .text = "make N answers and return the likeliest (as many as returned)"}, {}, &P::best_of},
    {{.name = "logprobs", .type = kInt, .min = -1, .max = 1000, .value_name = "K",
      .text = "log probability of each token and of the K likeliest; -1: none (-1)"}, {},
     &P::logprobs},
    {{.name = "logprobs_after", .type = kFlag,
      .text = "log probabilities after the chain instead of before it"}, {}, &P::logprobs_after},
    {{.name = "prompt_logprobs", .type = kInt, .min = -1, .max = 1000, .value_name = "K",
      .text = "the same of the prompt (-1)"}, {}, &P::prompt_logprobs},
    {{.name = "num_beams", .type = kInt, .min = 1, .max = 128, .value_name = "N",
      .text = "beam search of this width; 1: sampling (1)"}, {}, &P::num_beams},
    {{.name = "length_penalty", .type = kFloat, .min = -100, .max = 100, .value_name = "X",
      .text = "a beam's score is its log probability over length^X (1)"}, {}, &P::length_penalty},
    {{.name = "early_stopping", .type = OptionType::kChoice, .choices = "false|true|never",
      .text = "when beam search may end (false)"}, {}, &P::early_stopping},
};

std::vector<OptionRow> make_flags() {
  static std::deque<std::string> names;  // the rows point into it
  std::vector<OptionRow> flags;
  for (const SamplingRow& row : kRows) {
    flags.push_back(row.option);
    names.emplace_back(row.flag.empty() ? row.option.name : row.flag);
    std::ranges::replace(names.back(), '_', '-');
    flags.back().name = names.back();
  }
  return flags;
}

// Copies one given value to where its row points.
struct CopyValue {
  const Options& options;
  std::string_view name;
  P& params;

  Result<void> operator()(double P::*at) const { return put(at, options.number(name)); }
  Result<void> operator()(int64_t P::*at) const { return put(at, options.integer(name)); }
  Result<void> operator()(bool P::*at) const { return put(at, options.flag(name)); }
  Result<void> operator()(std::string P::*at) const { return put(at, options.text(name)); }
  Result<void> operator()(std::vector<std::string> P::*at) const {
    return put(at, options.list(name));
  }
  Result<void> operator()(SamplingSetter set) const { return set(params, options.list(name)); }

  template <class T>
  Result<void> put(T P::*at, T value) const {
    params.*at = std::move(value);
    return {};
  }
};

}  // namespace

std::span<const SamplingRow> sampling_rows() { return kRows; }

std::span<const OptionRow> sampling_flags() {
  static const std::vector<OptionRow> flags = make_flags();
  return flags;
}

Result<void> apply_sampling(const Options& options, SamplingParams& params) {
  std::span<const OptionRow> flags = sampling_flags();
  for (size_t i = 0; i < flags.size(); ++i) {
    for (std::string_view name : {kRows[i].option.name, flags[i].name}) {
      if (options.find_row(name) == nullptr || !options.given(name)) continue;
      if (kRows[i].option.many && options.list(name).size() > kListMax)
        return fail(Code::kTooLarge, "{} takes at most {} values", name, kListMax);
      TRY(std::visit(CopyValue{options, name, params}, kRows[i].target));
      break;
    }
  }
  return {};
}

}  // namespace hearth

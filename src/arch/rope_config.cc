// The spellings of rotary settings: config.json as transformers 5 writes it (rope_parameters), as
// transformers 4 did (rope_theta beside rope_scaling), and GGUF keys.
#include <fmt/format.h>

#include <cmath>

#include "arch/arch.h"

namespace hearth {
namespace {

Result<RopeScaling> scaling_of(std::string_view name) {
  if (name == "default" || name == "none" || name.empty()) return RopeScaling::kNone;
  if (name == "linear") return RopeScaling::kLinear;
  if (name == "llama3") return RopeScaling::kLlama3;
  if (name == "yarn") return RopeScaling::kYarn;
  return fail(Code::kUnsupported, "rotary scaling '{}' is not known to Hearth yet", name);
}

// What a kind of file calls the settings that can be wrong.
struct Names {
  std::string theta, factor, original_context;
};

bool positive(double value) { return std::isfinite(value) && value > 0; }

Result<void> check_scaling(const RopeConfig& r, const Names& names) {
  if (!positive(r.factor))
    return fail(Code::kCorrupt, "the rotary scaling factor ({}) is {}, which must be positive",
                names.factor, r.factor);
  bool needs_context = r.scaling == RopeScaling::kLlama3 || r.scaling == RopeScaling::kYarn;
  if (needs_context && !(positive(r.original_context) && r.original_context <= 1e9))
    return fail(Code::kCorrupt, "rotary scaling needs the original context ({}), which is {}",
                names.original_context, r.original_context);
  if (r.scaling == RopeScaling::kLlama3 &&
      !(positive(r.low_freq_factor) && positive(r.high_freq_factor) &&
        r.low_freq_factor < r.high_freq_factor))
    return fail(Code::kCorrupt, "the llama3 rotary factors low_freq_factor and high_freq_factor "
                                "are {} and {}, which must rise",
                r.low_freq_factor, r.high_freq_factor);
  if (r.scaling == RopeScaling::kYarn && !(positive(r.beta_fast) && positive(r.beta_slow)))
    return fail(Code::kCorrupt, "YaRN's beta_fast and beta_slow are {} and {}, which must be "
                                "positive", r.beta_fast, r.beta_slow);
  if (!std::isfinite(r.attention_factor))
    return fail(Code::kCorrupt, "YaRN's attention factor is {}", r.attention_factor);
  return {};
}

Result<RopeConfig> checked(RopeConfig r, const Names& names) {
  if (!positive(r.theta) || r.theta < 1 || r.theta > 1e12)
    return fail(Code::kCorrupt, "the rotary base ({}) is {}, which must be from 1 to 1e12",
                names.theta, r.theta);
  if (r.scaling != RopeScaling::kNone) TRY(check_scaling(r, names));
  return r;
}

const Names& checkpoint_names() {
  static const Names kNames{"rope_theta", "factor", "original_max_position_embeddings"};
  return kNames;
}

}  // namespace

Result<RopeConfig> read_rope(const Json& parameters, const Json& config, int64_t dims) {
  RopeConfig r{.dims = dims};
  double theta = TRY(config.get_double("rope_theta", 10000.0));
  r.theta = TRY(parameters.get_double("rope_theta", theta));
  if (!parameters.is_object()) return checked(r, checkpoint_names());
  std::string old_name = TRY(parameters.get_string("type", "default"));
  r.scaling = TRY(scaling_of(TRY(parameters.get_string("rope_type", old_name))));
  r.factor = TRY(parameters.get_double("factor", 1.0));
  r.low_freq_factor = TRY(parameters.get_double("low_freq_factor", r.low_freq_factor));
  r.high_freq_factor = TRY(parameters.get_double("high_freq_factor", r.high_freq_factor));
  double context = TRY(config.get_double("max_position_embeddings", 0));
  r.original_context =
      TRY(parameters.get_double("original_max_position_embeddings", context));
  r.beta_fast = TRY(parameters.get_double("beta_fast", r.beta_fast));
  r.beta_slow = TRY(parameters.get_double("beta_slow", r.beta_slow));
  r.attention_factor = TRY(parameters.get_double("attention_factor", 0));
  return checked(r, checkpoint_names());
}

Result<RopeConfig> read_rope(const Metadata& gguf, std::string_view prefix, int64_t dims) {
  auto key = [&](std::string_view suffix) { return fmt::format("{}.rope.{}", prefix, suffix); };
  RopeConfig r{.dims = dims};
  r.theta = TRY(gguf.number(key("freq_base"), 10000.0));
  r.scaling = TRY(scaling_of(TRY(gguf.text(key("scaling.type"), "none"))));
  double old_factor = TRY(gguf.number(key("scale_linear"), 1.0));
  r.factor = TRY(gguf.number(key("scaling.factor"), old_factor));
  if (r.scaling == RopeScaling::kNone && r.factor != 1.0 && r.factor != 0.0)
    r.scaling = RopeScaling::kLinear;  // files from before the key scaling.type
  double context = TRY(gguf.number(fmt::format("{}.context_length", prefix), 0));
  r.original_context = TRY(gguf.number(key("scaling.original_context_length"), context));
  r.beta_fast = TRY(gguf.number(key("scaling.yarn_beta_fast"), r.beta_fast));
  r.beta_slow = TRY(gguf.number(key("scaling.yarn_beta_slow"), r.beta_slow));
  double extra = TRY(gguf.number(key("scaling.attn_factor"), 0));
  if (r.scaling == RopeScaling::kYarn && extra > 0)
    r.attention_factor = extra * (r.factor > 1 ? 0.1 * std::log(r.factor) + 1.0 : 1.0);
  return checked(r, {key("freq_base"), key("scaling.factor"),
                     key("scaling.original_context_length")});
}

Result<RopeConfig> plain_rope(std::string_view key, double theta, int64_t dims) {
  return checked({.theta = theta, .dims = dims}, {.theta = std::string(key), .factor = {},
                                                  .original_context = {}});
}

}  // namespace hearth

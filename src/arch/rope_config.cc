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

Result<RopeConfig> checked(RopeConfig r) {
  auto positive = [](double v) { return std::isfinite(v) && v > 0; };
  if (!positive(r.theta) || r.theta < 1 || r.theta > 1e12)
    return fail(Code::kCorrupt, "the rotary base is {}, which must be from 1 to 1e12", r.theta);
  if (r.scaling == RopeScaling::kNone) return r;
  if (!positive(r.factor))
    return fail(Code::kCorrupt, "the rotary scaling factor is {}, which must be positive",
                r.factor);
  bool needs_context = r.scaling == RopeScaling::kLlama3 || r.scaling == RopeScaling::kYarn;
  if (needs_context && !(positive(r.original_context) && r.original_context <= 1e9))
    return fail(Code::kCorrupt, "rotary scaling needs the original context, which is {}",
                r.original_context);
  if (r.scaling == RopeScaling::kLlama3 &&
      !(positive(r.low_freq_factor) && positive(r.high_freq_factor) &&
        r.low_freq_factor < r.high_freq_factor))
    return fail(Code::kCorrupt, "llama3 rotary factors {} and {} must rise", r.low_freq_factor,
                r.high_freq_factor);
  if (r.scaling == RopeScaling::kYarn && !(positive(r.beta_fast) && positive(r.beta_slow)))
    return fail(Code::kCorrupt, "YaRN betas {} and {} must be positive", r.beta_fast,
                r.beta_slow);
  if (!std::isfinite(r.attention_factor))
    return fail(Code::kCorrupt, "the YaRN attention factor is not finite");
  return r;
}

}  // namespace

Result<RopeConfig> read_rope(const Json& parameters, const Json& config, int64_t dims) {
  RopeConfig r{.dims = dims};
  double theta = TRY(config.get_double("rope_theta", 10000.0));
  r.theta = TRY(parameters.get_double("rope_theta", theta));
  if (!parameters.is_object()) return checked(r);
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
  return checked(r);
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
  return checked(r);
}

}  // namespace hearth

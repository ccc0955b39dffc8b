// What the commands that compute share: their options, and from the MODEL that a user typed to
// something that runs.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/args.h"
#include "cli/command.h"
#include "engine/session.h"
#include "model/chat.h"
#include "registry/resolve.h"

namespace hearth {

inline constexpr OptionRow kTemperatureOption = {
    .name = "temperature", .type = OptionType::kFloat, .min = 0, .max = 100, .value_name = "T",
    .text = "randomness; 0 always takes the most likely token (default: the model's, else 0.8)"};
inline constexpr OptionRow kTopKOption = {
    .name = "top-k", .type = OptionType::kInt, .min = 0, .max = 1 << 24, .value_name = "K",
    .text = "choose among the K most likely tokens; 0: all (default: the model's, else 40)"};
inline constexpr OptionRow kTopPOption = {
    .name = "top-p", .type = OptionType::kFloat, .min = 0, .max = 1, .value_name = "P",
    .text = "choose among the likeliest that sum to P (default: the model's, else 0.9)"};
inline constexpr OptionRow kMinPOption = {
    .name = "min-p", .type = OptionType::kFloat, .min = 0, .max = 1, .value_name = "P",
    .text = "drop tokens less than P times as likely as the first (default: 0)"};
inline constexpr OptionRow kSeedOption = {
    .name = "seed", .type = OptionType::kInt, .min = 0, .max = 9.0e15, .value_name = "N",
    .text = "the same seed gives the same text"};
inline constexpr OptionRow kMaxTokensOption = {
    .name = "max-tokens", .type = OptionType::kInt, .letter = 'n', .min = 0, .max = 1 << 24,
    .value_name = "N", .text = "stop after N tokens (default: when the model ends or the context "
                               "is full)"};
inline constexpr OptionRow kStopOption = {
    .name = "stop", .type = OptionType::kString, .many = true, .value_name = "TEXT",
    .text = "stop before this text; may be given several times"};

// A model that is loaded and ready. Members are declared in the order in which they depend.
struct Engine {
  ResolvedModel resolved;
  std::shared_ptr<const Model> model;
  std::shared_ptr<const Tokenizer> tokenizer;
  KvType kv = KvType::kF16;
  std::unique_ptr<Runner> runner;

  // The chat format: the store's template, else the file's; nullopt where there is none.
  Result<std::optional<ChatFormat>> chat_format() const;
  // Tokens of context: the model's, capped by --ctx and the model's num_ctx parameter.
  int64_t context(const Options& options) const;
};

// From --precision (unless `precision` is given), --threads and --kv.
Result<Precision> precision_of(const Options& options);
Result<KvType> kv_type_of(const Options& options, Precision precision);

// Resolves and loads `name`; shows a progress bar when it takes long. `tokenizer` false leaves the
// tokenizer out.
Result<Engine> load_engine(const std::string& name, const Options& options, bool tokenizer = true);

// What the user asked for over what the model asks for over the defaults.
Result<SamplingParams> sampling_of(const Options& options, const ResolvedModel& resolved);

// A JSON array of token ids from a file (at most 64 MiB).
Result<std::vector<TokenId>> read_token_file(const std::string& path);
Result<std::vector<TokenId>> parse_token_array(const Json& json);

Json to_json(const Timings& timings);
// "prompt: 31 tokens in 0.25 s (124.0 tokens/s), answer: ...".
std::string statistics(const Timings& timings);

}  // namespace hearth

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

// `own` rows and, after them, those of the sampling table by their flags. Keep the result in a
// static: the parsed options point into it.
std::vector<OptionRow> with_sampling(std::initializer_list<OptionRow> own);

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
  // Tokens of a prompt per step: --batch, or the model's num_batch parameter.
  int64_t prompt_chunk(const Options& options) const;
};

// From --precision (unless `precision` is given), --threads and --kv.
Result<Precision> precision_of(const Options& options);
Result<KvType> kv_type_of(const Options& options, Precision precision);

// Resolves and loads `name`; shows a progress bar when it takes long. `tokenizer` false leaves the
// tokenizer out.
Result<Engine> load_engine(const std::string& name, const Options& options, bool tokenizer = true);

// What the user asked for over what the model asks for over the defaults. A negative seed becomes
// one that nobody knows.
Result<SamplingParams> sampling_of(const Options& options, const ResolvedModel& resolved);

// A JSON array of token ids from a file (at most 64 MiB).
Result<std::vector<TokenId>> read_token_file(const std::string& path);
Result<std::vector<TokenId>> parse_token_array(const Json& json);

// What the context slid over, as a warning for people; empty where it did not.
std::string overflow_warning(const Generation& answer, const Timings& timings);

Json to_json(const Timings& timings);
// {"token", "logprob", "text", "top": [...]} of each.
Json to_json(std::span<const TokenLogprobs> logprobs, const Tokenizer& tokenizer);
// "prompt: 31 tokens in 0.25 s (124.0 tokens/s), answer: ...".
std::string statistics(const Timings& timings);

}  // namespace hearth

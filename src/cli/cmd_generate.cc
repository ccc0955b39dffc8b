// hearth generate: tokens or a prompt in, JSON out; for programs and tests.
#include <fmt/format.h>

#include "cli/engine.h"
#include "cli/terminal.h"

namespace hearth {
namespace {

Result<std::vector<TokenId>> prompt_tokens(const Args& args, const Engine& engine) {
  const Options& options = args.options;
  bool tokens = options.has("tokens"), text = options.has("prompt");
  if (tokens == text)
    return fail(Code::kUsage, "give either --tokens FILE or --prompt TEXT");
  if (tokens) return read_token_file(options.text("tokens"));
  auto format = TRY(engine.chat_format());
  if (options.flag("raw") || !format)
    return engine.tokenizer->encode(options.text("prompt"), {});
  std::vector<ChatMessage> messages;
  if (!engine.resolved.system.empty()) messages.push_back({"system", engine.resolved.system});
  messages.push_back({"user", options.text("prompt")});
  return format->tokens(messages, *engine.tokenizer);
}

Result<int> generate(const Args& args) {
  Engine engine = TRY(load_engine(args.positional("MODEL"), args.options));
  SamplingParams sampling = TRY(sampling_of(args.options, engine.resolved));
  sampling.ignore_eos = args.options.flag("ignore-eos");
  std::vector<TokenId> prompt = TRY(prompt_tokens(args, engine));
  Session session = TRY(Session::create(*engine.runner, engine.tokenizer,
                                        engine.context(args.options), engine.kv));
  Generation out = TRY(session.generate(prompt, sampling, {}));
  Json::Array ids(out.tokens.begin(), out.tokens.end());
  Json json = Json::Object{{"tokens", std::move(ids)},
                           {"text", out.text},
                           {"finish_reason", name_of(out.reason)},
                           {"timings", to_json(out.timings)}};
  TRY(print("{}\n", json.dump()));
  return 0;
}

constexpr Positional kPositionals[] = {
    {"MODEL", Positional::Count::kRequired, "a name in the store, a .gguf file or a folder"}};
constexpr OptionRow kOptions[] = {
    {.name = "tokens", .type = OptionType::kPath, .value_name = "FILE",
     .text = "the prompt as a JSON array of token ids"},
    {.name = "prompt", .type = OptionType::kString, .value_name = "TEXT",
     .text = "the prompt as text, put into the model's chat template"},
    {.name = "raw", .type = OptionType::kFlag, .text = "the prompt as it is, without a template"},
    {.name = "ignore-eos", .type = OptionType::kFlag,
     .text = "go on when the model ends its answer"},
    kMaxTokensOption, kTemperatureOption, kTopKOption, kTopPOption, kMinPOption, kSeedOption,
    kStopOption, kContextOption, kPrecisionOption, kKvOption, kThreadsOption,
};

}  // namespace

extern const Command k_generate_command = {
    .name = "generate",
    .summary = "continue a prompt and print JSON",
    .help = "Prints {\"tokens\", \"text\", \"finish_reason\", \"timings\"}. The seed is 0 unless\n"
            "given, so that two runs agree.\n\n"
            "Example:\n"
            "  hearth generate smollm2 --prompt \"Once upon a time\" --raw --max-tokens 20 "
            "--temperature 0\n",
    .positionals = kPositionals,
    .options = kOptions,
    .run = generate,
};

}  // namespace hearth

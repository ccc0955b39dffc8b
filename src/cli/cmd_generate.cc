// hearth generate: tokens or a prompt in, JSON out; for programs and tests.
#include <fmt/format.h>

#include "cli/engine.h"
#include "cli/terminal.h"
#include "engine/infill.h"

namespace hearth {
namespace {

// The tokens of the prompt, and what of the answer they hold; --suffix adds what ends the middle to
// `sampling`.
Result<std::vector<TokenId>> prompt_tokens(const Args& args, const Engine& engine,
                                           SamplingParams& sampling, std::string& begun) {
  const Options& options = args.options;
  bool tokens = options.has("tokens"), text = options.has("prompt");
  if (tokens == text)
    return fail(Code::kUsage, "give either --tokens FILE or --prompt TEXT");
  if (tokens && options.has("suffix"))
    return fail(Code::kUsage, "--suffix goes with --prompt, the text before the gap");
  if (options.has("continue") && (tokens || options.has("suffix") || options.flag("raw")))
    return fail(Code::kUsage, "--continue goes with --prompt in the model's chat template");
  if (tokens) return read_token_file(options.text("tokens"));
  if (options.has("suffix")) {
    InfillTokens marks =
        TRY(infill_tokens(*engine.tokenizer, engine.model->file.metadata()));
    sampling.stop_token_ids.insert(sampling.stop_token_ids.end(), marks.ends.begin(),
                                   marks.ends.end());
    return infill_prompt(*engine.tokenizer, marks, options.text("prompt"),
                         options.text("suffix"));
  }
  auto format = TRY(engine.chat_format());
  begun = options.text("continue", "");
  if (options.flag("raw") || !format)
    return engine.tokenizer->encode(options.text("prompt") + begun, {});
  std::vector<ChatMessage> messages;
  if (!engine.resolved.system.empty()) messages.push_back({"system", engine.resolved.system});
  messages.push_back({"user", options.text("prompt")});
  if (!begun.empty()) messages.push_back({"assistant", begun});
  ChatPrompt prompt =
      TRY(format->prompt(messages, *engine.tokenizer, {.continue_last = !begun.empty()}));
  begun = prompt.begun;
  return std::move(prompt.tokens);
}

Json choice_json(const Generation& choice, const Engine& engine, const SamplingParams& sampling,
                 const std::string& echoed) {
  Json::Array ids(choice.tokens.begin(), choice.tokens.end());
  Json json = Json::Object{{"tokens", std::move(ids)},
                           {"text", echoed + choice.text},
                           {"finish_reason", name_of(choice.reason)}};
  if (!choice.stop_text.empty()) json.set("stop", choice.stop_text);
  if (choice.stop_token >= 0) json.set("stop_token", static_cast<int64_t>(choice.stop_token));
  if (sampling.logprobs >= 0) json.set("logprobs", to_json(choice.logprobs, *engine.tokenizer));
  if (sampling.best_of > sampling.n) json.set("mean_logprob", choice.mean_logprob);
  if (sampling.num_beams > 1) json.set("score", choice.score);
  if (choice.dropped_tokens > 0) json.set("dropped_tokens", choice.dropped_tokens);
  return json;
}

Result<int> generate(const Args& args) {
  Engine engine = TRY(load_engine(args.positional("MODEL"), args.options));
  SamplingParams sampling = TRY(sampling_of(args.options, engine.resolved));
  std::string echoed;
  std::vector<TokenId> prompt = TRY(prompt_tokens(args, engine, sampling, echoed));
  Session session = TRY(Session::create(*engine.runner, engine.tokenizer,
                                        engine.context(args.options), engine.kv,
                                        engine.prompt_chunk(args.options)));
  Completion out = TRY(session.complete(prompt, sampling, {}));
  if (args.options.flag("echo")) echoed = engine.tokenizer->decode(prompt, true);
  Json json = choice_json(out.choices.front(), engine, sampling, echoed);
  if (sampling.n > 1) {
    Json::Array choices;
    for (const Generation& choice : out.choices)
      choices.push_back(choice_json(choice, engine, sampling, echoed));
    json = Json::Object{{"choices", std::move(choices)}};
  }
  if (sampling.prompt_logprobs >= 0)
    json.set("prompt_logprobs", to_json(out.prompt_logprobs, *engine.tokenizer));
  json.set("timings", to_json(out.timings));
  write_err(overflow_warning(out.choices.front(), out.timings));
  TRY(print("{}\n", json.dump()));
  return 0;
}

constexpr Positional kPositionals[] = {
    {"MODEL", Positional::Count::kRequired, "a name in the store, a .gguf file or a folder"}};
const std::vector<OptionRow> kOptions = with_sampling({
    {.name = "tokens", .type = OptionType::kPath, .value_name = "FILE",
     .text = "the prompt as a JSON array of token ids"},
    {.name = "prompt", .type = OptionType::kString, .value_name = "TEXT",
     .text = "the prompt as text, put into the model's chat template"},
    {.name = "raw", .type = OptionType::kFlag, .text = "the prompt as it is, without a template"},
    kContinueOption,
    {.name = "suffix", .type = OptionType::kString, .value_name = "TEXT",
     .text = "fill in what comes between the prompt and this text"},
    {.name = "echo", .type = OptionType::kFlag, .text = "the text begins with the prompt"},
    {.name = "batch", .type = OptionType::kInt, .min = 1, .max = 1 << 20, .value_name = "N",
     .text = "tokens of the prompt per step (256)"},
    kContextOption, kPrecisionOption, kKvOption, kThreadsOption,
});

}  // namespace

extern const Command k_generate_command = {
    .name = "generate",
    .summary = "continue a prompt and print JSON",
    .help = "Prints {\"tokens\", \"text\", \"finish_reason\", \"timings\"}. The seed is 0 unless\n"
            "given, so that two runs agree. With --choices there is an array \"choices\" of the\n"
            "first three.\n\n"
            "Example:\n"
            "  hearth generate smollm2 --prompt \"Once upon a time\" --raw --max-tokens 20 "
            "--temperature 0\n",
    .positionals = kPositionals,
    .options = kOptions,
    .run = generate,
};

}  // namespace hearth

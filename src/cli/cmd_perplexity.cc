// hearth perplexity: how well a model predicts a text, and what a precision costs.
#include "eval/perplexity.h"

#include "base/file.h"
#include "cli/engine.h"
#include "cli/progress.h"
#include "cli/terminal.h"

namespace hearth {
namespace {

constexpr uint64_t kTextBytesMax = 1u << 30;

Json to_json(const PerplexityResult& result) {
  Json json = Json::Object{{"ppl", result.ppl},
                           {"stderr", result.standard_error},
                           {"tokens", result.tokens}};
  if (result.divergence) {
    const Divergence& d = *result.divergence;
    json.set("kl", Json::Object{{"mean", d.mean}, {"p99", d.p99}, {"max", d.max}});
    json.set("top1", d.same_top);
    json.set("ppl_exact", result.reference_ppl);
  }
  return json;
}

Result<int> run(const Args& args) {
  std::string text = TRY(read_file(args.positional("FILE"), kTextBytesMax));
  Engine engine = TRY(load_engine(args.positional("MODEL"), args.options));
  const Tokenizer& tokenizer = *engine.tokenizer;
  std::vector<TokenId> tokens = tokenizer.encode(text, {.parse_special = false});
  PerplexityOptions options{.ctx = args.options.integer("ctx"),
                            .chunks = args.options.integer("chunks", -1),
                            .kv = engine.kv};
  std::unique_ptr<Runner> exact;
  if (args.options.has("against")) {
    exact = std::make_unique<Runner>(
        engine.model, RunnerOptions{.precision = Precision::kExact,
                                    .threads = static_cast<int>(
                                        args.options.integer("threads", 0))});
    options.reference = exact.get();
  }
  Progress progress("perplexity", 0);
  options.on_chunk = [&](int64_t done, int64_t, double) {
    progress.update(static_cast<uint64_t>(done));
  };
  TokenId bos = tokenizer.adds_bos() ? tokenizer.bos() : -1;
  PerplexityResult result = TRY(perplexity(*engine.runner, tokens, bos, options));
  progress.finish();
  TRY(print("{}\n", to_json(result).dump()));
  return 0;
}

constexpr Positional kPositionals[] = {
    {"MODEL", Positional::Count::kRequired, "a name in the store, a .gguf file or a folder"},
    {"FILE", Positional::Count::kRequired, "a text"},
};
constexpr OptionRow kOptions[] = {
    {.name = "ctx", .type = OptionType::kInt, .fallback = "512", .min = 4, .max = 1 << 24,
     .value_name = "N", .text = "tokens per window; the second half is scored"},
    {.name = "chunks", .type = OptionType::kInt, .min = 1, .max = 1 << 24, .value_name = "N",
     .text = "windows to score (default: all)"},
    {.name = "against", .type = OptionType::kChoice, .choices = "exact", .value_name = "exact",
     .text = "add the divergence from that precision"},
    kJsonOption, kPrecisionOption, kKvOption, kThreadsOption,
};

}  // namespace

extern const Command k_perplexity_command = {
    .name = "perplexity",
    .summary = "measure how well a model predicts a text",
    .help = "Prints {\"ppl\", \"stderr\", \"tokens\"}, computed as llama.cpp does, so that\n"
            "figures compare; --against exact adds {\"kl\": {\"mean\", \"p99\", \"max\"}, "
            "\"top1\"}.\n\n"
            "Example:\n  hearth perplexity smollm2 wiki.test.raw --chunks 20 --precision exact\n",
    .positionals = kPositionals,
    .options = kOptions,
    .run = run,
};

}  // namespace hearth

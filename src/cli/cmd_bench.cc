// hearth bench: speed, beside the machine's limits.
#include "eval/bench.h"

#include <fmt/format.h>

#include "cli/engine.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "cli/terminal.h"

namespace hearth {
namespace {

Json to_json(const Rates& rates) {
  return Json::Object{{"min", rates.min}, {"median", rates.median}, {"max", rates.max}};
}

// What a step must read and compute whatever the kernels: the weights once, the cache of each
// sequence, products of each row. `depth` is the mean over the steps that were measured.
Json step_json(const Engine& engine, int64_t rows, int64_t rows_with_logits, int64_t sequences,
               int64_t depth) {
  const Model& model = engine.runner->model();
  const Cost cost = cost_of(model.program, model.weights, rows, rows_with_logits, depth,
                            KvCache::bytes_per_number(model.program, engine.kv));
  return Json::Object{{"weight_bytes", cost.weight_bytes},
                      {"cache_bytes", cost.cache_bytes * static_cast<double>(sequences)},
                      {"operations", 2 * cost.multiply_adds}};
}

Json to_json(const std::string& name, const Engine& engine, const BenchOptions& options,
             const BenchResult& result) {
  Json::Array decode;
  for (size_t i = 0; i < result.decode.size(); ++i) {
    const int64_t batch = options.batches[i];
    decode.push_back(Json::Object{
        {"batch", batch},
        {"tokens", options.generate},
        {"depth", options.depth},
        {"tps", to_json(result.decode[i])},
        {"step", step_json(engine, batch, batch, batch, options.depth + options.generate / 2)}});
  }
  return Json::Object{
      {"model", name},
      {"isa", engine.runner->kernels().isa},
      {"precision", name_of(engine.runner->precision())},
      {"compute", engine.runner->compute_name()},
      {"threads", engine.runner->threads()},
      {"limits", Json::Object{{"read_gb_s", result.limits.read_gb_s},
                              {"int8_tops", result.limits.int8_tops},
                              {"bf16_tflops", result.limits.bf16_tflops},
                              {"f32_tflops", result.limits.f32_tflops}}},
      {"prefill", Json::Object{{"tokens", options.prompt},
                               {"depth", options.depth},
                               {"tps", to_json(result.prefill)},
                               {"step", step_json(engine, options.prompt, 1, 1,
                                                  options.depth + options.prompt / 2)}}},
      {"decode", std::move(decode)}};
}

Result<void> print_table(const Engine& engine, const BenchOptions& options,
                         const BenchResult& result) {
  Table table({"TEST", "TOKENS", "DEPTH", "TOKENS/S", "MIN", "MAX"});
  auto add = [&](std::string name, int64_t tokens, const Rates& r) {
    table.add({std::move(name), fmt::format("{}", tokens), fmt::format("{}", options.depth),
               fmt::format("{:.1f}", r.median), fmt::format("{:.1f}", r.min),
               fmt::format("{:.1f}", r.max)});
  };
  if (options.prompt > 0) add("prompt", options.prompt, result.prefill);
  for (size_t i = 0; i < result.decode.size() && options.generate > 0; ++i)
    add(fmt::format("generate x{}", options.batches[i]), options.generate, result.decode[i]);
  TRY(print("{} threads, {}, {} ({} products)\n", engine.runner->threads(),
            engine.runner->kernels().isa, name_of(engine.runner->precision()),
            engine.runner->compute_name()));
  TRY(print("machine: reads {:.1f} GB/s, int8 {:.2f} TOPS, bf16 {:.2f} TFLOPS, f32 {:.2f} "
            "TFLOPS\n\n",
            result.limits.read_gb_s, result.limits.int8_tops, result.limits.bf16_tflops,
            result.limits.f32_tflops));
  return write_out(table.text());
}

Result<std::vector<int64_t>> batches_of(std::string_view text) {
  std::vector<int64_t> out;
  while (!text.empty()) {
    size_t comma = std::min(text.find(','), text.size());
    auto number = parse_int(text.substr(0, comma));
    if (!number || *number < 1 || *number > 1024)
      return fail(Code::kUsage, "--batch takes numbers from 1 to 1024, such as 1,4,16");
    out.push_back(*number);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return out;
}

Result<int> run(const Args& args) {
  BenchOptions options{.prompt = args.options.integer("prompt"),
                       .generate = args.options.integer("gen"),
                       .batches = TRY(batches_of(args.options.text("batch"))),
                       .depth = args.options.integer("depth"),
                       .repeats = static_cast<int>(args.options.integer("repeat"))};
  std::string name = args.positional("MODEL");
  Engine engine = TRY(load_engine(name, args.options, false));
  options.kv = engine.kv;
  Progress progress("measuring", static_cast<uint64_t>(options.repeats));
  options.on_run = [&](int done, int) { progress.update(static_cast<uint64_t>(done)); };
  BenchResult result = TRY(bench(*engine.runner, options));
  progress.finish();
  if (args.options.flag("json")) {
    TRY(print("{}\n", to_json(name, engine, options, result).dump()));
  } else {
    TRY(print_table(engine, options, result));
  }
  return 0;
}

constexpr Positional kPositionals[] = {
    {"MODEL", Positional::Count::kRequired, "a name in the store, a .gguf file or a folder"}};
constexpr OptionRow kOptions[] = {
    {.name = "prompt", .type = OptionType::kInt, .fallback = "512", .min = 0, .max = 1 << 24,
     .value_name = "N", .text = "tokens of the prompt; 0 skips it"},
    {.name = "gen", .type = OptionType::kInt, .fallback = "128", .min = 0, .max = 1 << 24,
     .value_name = "N", .text = "tokens to generate; 0 skips it"},
    {.name = "batch", .type = OptionType::kString, .fallback = "1", .value_name = "N,N",
     .text = "sequences that generate side by side"},
    {.name = "depth", .type = OptionType::kInt, .fallback = "0", .min = 0, .max = 1 << 24,
     .value_name = "N", .text = "tokens in the cache before each run"},
    {.name = "repeat", .type = OptionType::kInt, .fallback = "5", .min = 1, .max = 1000,
     .value_name = "N", .text = "runs; medians are shown"},
    kJsonOption, kPrecisionOption, kKvOption, kThreadsOption,
};

}  // namespace

extern const Command k_bench_command = {
    .name = "bench",
    .summary = "measure a model's speed beside the machine's limits",
    .help = "Example:\n  hearth bench smollm2 --prompt 512 --gen 128 --batch 1,4,16\n",
    .positionals = kPositionals,
    .options = kOptions,
    .run = run,
};

}  // namespace hearth

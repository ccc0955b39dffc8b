#include "cli/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "base/file.h"
#include "cli/progress.h"
#include "registry/parameters.h"

namespace hearth {

Result<Precision> precision_of(const Options& options) {
  return parse_precision(options.text("precision"));
}

Result<KvType> kv_type_of(const Options& options, Precision precision) {
  std::string name = options.text("kv", "");
  if (name.empty()) return default_kv_type(precision);
  if (auto type = find_kv_type(name)) return *type;
  if (name == "q8_0") return KvType::kInt8;  // Ollama's name
  if (name == "q4_0")
    return fail(Code::kUnsupported, "a 4-bit cache loses too much to be offered; use int8");
  return fail(Code::kInvalid, "--kv is f32, f16, bf16 or int8, not '{}'", name);
}

Result<std::optional<ChatFormat>> Engine::chat_format() const {
  if (resolved.language == TemplateLanguage::kGo)
    return TRY(ChatFormat::compile_go(resolved.template_text));
  const std::string& text =
      resolved.template_text.empty() ? model->chat_template : resolved.template_text;
  if (text.empty()) return std::nullopt;
  return TRY(ChatFormat::compile(text, *tokenizer));
}

int64_t Engine::context(const Options& options) const {
  int64_t context = model->config.context;
  const Json& own = resolved.params["num_ctx"];
  if (own.is_int() && own.as_int() > 0) context = std::min(context, own.as_int());
  return std::min(context, options.integer("ctx", context));
}

int64_t Engine::prompt_chunk(const Options& options) const {
  const Json& own = resolved.params["num_batch"];
  return options.integer("batch", own.is_int() && own.as_int() > 0 ? own.as_int() : kPromptChunk);
}

Result<Engine> load_engine(const std::string& name, const Options& options, bool tokenizer) {
  Engine engine;
  engine.resolved = TRY(resolve_model(name));
  if (engine.resolved.has_adapter)
    return fail(Code::kUnsupported, "{} has an adapter, which Hearth stores but cannot run yet",
                engine.resolved.display_name);
  Precision precision = TRY(precision_of(options));
  engine.kv = TRY(kv_type_of(options, precision));
  engine.model = TRY(Model::load(engine.resolved.path));
  if (tokenizer)
    engine.tokenizer = TRY(load_tokenizer(engine.model->file, engine.resolved.path));
  engine.runner = std::make_unique<Runner>(
      engine.model, RunnerOptions{.precision = precision,
                                  .threads = static_cast<int>(options.integer("threads", 0))});
  Progress progress("loading " + engine.resolved.display_name, engine.model->weight_bytes());
  engine.runner->prefault([&](double share) {
    progress.update(static_cast<uint64_t>(share *
                                          static_cast<double>(engine.model->weight_bytes())));
  });
  return engine;
}

std::vector<OptionRow> with_sampling(std::initializer_list<OptionRow> own) {
  std::vector<OptionRow> rows(own);
  std::span<const OptionRow> flags = sampling_flags();
  rows.insert(rows.end(), flags.begin(), flags.end());
  return rows;
}

Result<SamplingParams> sampling_of(const Options& options, const ResolvedModel& resolved) {
  SamplingParams out;
  TRY(apply_sampling(TRY(parameters_from_json(resolved.params)), out));
  TRY(apply_sampling(options, out));
  if (out.seed < 0) out.seed = std::random_device{}();
  return out;
}

Result<std::vector<TokenId>> parse_token_array(const Json& json) {
  if (!json.is_array()) return fail(Code::kInvalid, "token ids must be a JSON array");
  std::vector<TokenId> ids;
  for (const Json& item : json.as_array()) {
    if (!item.is_int() || item.as_int() < 0 || item.as_int() > INT32_MAX)
      return fail(Code::kInvalid, "'{}' is no token id", item.dump());
    ids.push_back(static_cast<TokenId>(item.as_int()));
  }
  return ids;
}

Result<std::vector<TokenId>> read_token_file(const std::string& path) {
  auto json = Json::parse(TRY(read_file(path, 64u << 20)));
  if (!json) return std::unexpected(with_context(json.error(), path));
  auto ids = parse_token_array(*json);
  if (!ids) return std::unexpected(with_context(ids.error(), path));
  return std::move(*ids);
}

namespace {

double rate(int64_t tokens, double seconds) {
  return seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
}

}  // namespace

std::string overflow_warning(const Generation& answer, const Timings& timings) {
  std::string out;
  const int64_t later = answer.dropped_tokens - timings.dropped_tokens;
  if (timings.dropped_tokens > 0)
    out += fmt::format("Warning: the prompt is too long for the context: {} tokens after its "
                       "beginning were left out, {} were read\n",
                       timings.dropped_tokens, timings.prompt_tokens);
  if (later > 0)
    out += fmt::format("Warning: the context was full: its oldest {} tokens were dropped while "
                       "the answer was written\n", later);
  return out;
}

Json to_json(const Timings& t) {
  int64_t read = t.prompt_tokens - t.cached_tokens;
  return Json::Object{{"prompt_tokens", t.prompt_tokens},
                      {"cached_tokens", t.cached_tokens},
                      {"generated_tokens", t.generated_tokens},
                      {"prompt_s", t.prompt_s},
                      {"generate_s", t.generate_s},
                      {"prompt_tps", rate(read, t.prompt_s)},
                      {"generate_tps", rate(t.generated_tokens, t.generate_s)}};
}

namespace {

// JSON has no infinity; OpenAI writes this for "never".
double json_logprob(double logprob) { return std::max(logprob, -9999.0); }

Json token_json(const TokenLogprob& token, const Tokenizer& tokenizer) {
  return Json::Object{{"token", static_cast<int64_t>(token.id)},
                      {"text", replace_invalid_utf8(tokenizer.piece(token.id, true))},
                      {"logprob", json_logprob(token.logprob)}};
}

}  // namespace

Json to_json(std::span<const TokenLogprobs> logprobs, const Tokenizer& tokenizer) {
  Json::Array out;
  for (const TokenLogprobs& token : logprobs) {
    Json row = token_json(token.chosen, tokenizer);
    Json::Array top;
    for (const TokenLogprob& other : token.top) top.push_back(token_json(other, tokenizer));
    if (!top.empty()) row.set("top", std::move(top));
    out.push_back(std::move(row));
  }
  return out;
}

std::string statistics(const Timings& t) {
  int64_t read = t.prompt_tokens - t.cached_tokens;
  return fmt::format("prompt: {} tokens ({} from the cache) in {:.2f} s, {:.1f} tokens/s\n"
                     "answer: {} tokens in {:.2f} s, {:.1f} tokens/s\n",
                     t.prompt_tokens, t.cached_tokens, t.prompt_s, rate(read, t.prompt_s),
                     t.generated_tokens, t.generate_s, rate(t.generated_tokens, t.generate_s));
}

}  // namespace hearth

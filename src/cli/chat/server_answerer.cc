#include "cli/chat/server_answerer.h"

#include <algorithm>
#include <random>

#include "base/sampling_params.h"
#include "cli/progress.h"
#include "registry/parameters.h"

namespace hearth {
namespace {

constexpr size_t kAnswerBytesMax = 64 << 20;  // more than any context holds

// What a chat does not show, and what a server's answer has no place for.
constexpr std::string_view kNotSent[] = {"n", "logprobs", "logprobs_after", "prompt_logprobs"};

// The flags of the command line under the names that Ollama's options have.
Result<Options> given_parameters(const Options& options) {
  Options out(parameter_rows());
  const std::span<const SamplingRow> rows = sampling_rows();
  const std::span<const OptionRow> flags = sampling_flags();
  for (size_t i = 0; i < rows.size(); ++i)
    if (options.find_row(flags[i].name) != nullptr && options.given(flags[i].name))
      for (const std::string& value : options.list(flags[i].name))
        TRY(out.set(rows[i].option.name, value));
  if (options.given("ctx")) TRY(out.set("num_ctx", options.list("ctx").back()));
  return out;
}

// The pieces of an answer. A server tells reasoning apart from the answer; here it stands between
// the tags that the model wrote, as it does where the model runs in this process. Some servers drop
// the newlines around the tags, which then come back.
class AnswerPieces {
 public:
  std::string take(const Json& line) {  // of /api/chat or /api/generate
    const Json& holder = line["message"].is_object() ? line["message"] : line;
    const Json& thinking = holder["thinking"];
    const Json& content = holder[line["message"].is_object() ? "content" : "response"];
    std::string out;
    if (thinking.is_string()) append(thinking.as_string(), true, out);
    if (content.is_string()) append(content.as_string(), false, out);
    return out;
  }

 private:
  void append(const std::string& piece, bool thinking, std::string& out) {
    if (piece.empty()) return;
    const bool newline = piece.starts_with('\n');
    if (thinking && !thinking_) out += newline ? "<think>" : "<think>\n";
    if (!thinking && thinking_) {
      out += last_ == '\n' ? "</think>" : "\n</think>";
      out += newline ? "" : "\n\n";
    }
    thinking_ = thinking;
    last_ = piece.back();
    out += piece;
  }

  bool thinking_ = false;
  char last_ = 0;
};

double seconds(const Json& line, std::string_view name) {
  return line[name].is_int() ? static_cast<double>(line[name].as_int()) * 1e-9 : 0;
}
int64_t count(const Json& line, std::string_view name) {
  return line[name].is_int() ? line[name].as_int() : 0;
}

Timings timings_of(const Json& line) {
  return {.prompt_tokens = count(line, "prompt_eval_count"),
          .cached_tokens = count(line, "prompt_eval_cached_count"),
          .generated_tokens = count(line, "eval_count"),
          .prompt_s = seconds(line, "prompt_eval_duration"),
          .generate_s = seconds(line, "eval_duration")};
}

class ServerAnswerer : public Answerer {
 public:
  ServerAnswerer(ServerClient client, std::string model, const Options& options)
      : client_(std::move(client)), model_(std::move(model)), options_(options) {}

  Result<void> load() {
    auto shown = client_.show(model_);
    if (!shown && shown.error().code == Code::kNotFound)
      return fail(Code::kNotFound,
                  "there is no model '{}' in the store and no such file; hearth list shows what "
                  "there is", model_);
    model_info_ = TRY(std::move(shown));
    given_ = parameters_to_json(TRY(given_parameters(options_)));
    settle();
    Json body = head();
    body.set("options", sent_);
    {
      Progress progress("the server loads " + model_, 0);
      TRY(client_.load(std::move(body), [&] { progress.update(0); }));
    }
    TRY(describe());
    return {};
  }

  const AnswererInfo& info() const override { return info_; }
  int64_t context() const override { return context_; }

  Result<void> set_parameters(const Options& parameters, std::string_view changed) override {
    set_ = parameters_to_json(parameters);
    settle();
    if (changed == "num_ctx") context_ = std::min(parameters.integer("num_ctx"), context_max_);
    return {};
  }

  void reseed() override {
    seed_ = static_cast<int64_t>(std::random_device{}());
    sent_.set("seed", seed_);
  }

  Result<GivenAnswer> answer(const Question& question, const AnswerEvents& events) override {
    GivenAnswer out;
    AnswerPieces pieces;
    auto tell = [&](std::string_view text) {
      if (text.empty()) return;
      out.text += text;
      if (events.on_text) events.on_text(text);
    };
    if (events.on_begin)
      events.on_begin(false, question.continues() ? question.messages.back().content : "");
    client_.set_cancel(events.cancel);
    auto done = send(question, [&](const Json& line) -> Result<void> {
      tell(pieces.take(line));
      if (out.text.size() > kAnswerBytesMax)
        return fail(Code::kTooLarge, "the server's answer does not end");
      if (!line["done"].is_bool() || !line["done"].as_bool()) return {};
      const Json& reason = line["done_reason"];
      out.finish_reason = reason.is_string() ? reason.as_string() : "stop";
      out.timings = timings_of(line);
      return {};
    });
    client_.set_cancel(nullptr);
    if (done) return out;
    if (done.error().code != Code::kCancelled) return std::unexpected(done.error());
    out.finish_reason = std::string(name_of(FinishReason::kCancelled));
    return out;
  }

 private:
  Json head() const {
    Json out = Json::Object{{"model", model_}};
    if (options_.has("keep-alive")) out.set("keep_alive", options_.text("keep-alive"));
    return out;
  }

  // What goes with each question, so that the server does what this process would: the model's own
  // parameters come from the server's store, and where nobody says anything ours count.
  void settle() {
    Json all = given_;
    for (const auto& [name, value] : set_.as_object()) all.set(name, value);
    sent_ = Json::Object{};
    for (const auto& [name, value] : all.as_object())
      if (std::ranges::find(kNotSent, name) == std::end(kNotSent)) sent_.set(name, value);
    const Json& own = sent_.find("seed") ? sent_["seed"] : model_info_.params["seed"];
    if (own.is_null()) sent_.set("seed", seed_);
    else if (own.is_int() && own.as_int() < 0) reseed();
  }

  bool slides() const {
    const Json& word = sent_.find("overflow") ? sent_["overflow"] : model_info_.params["overflow"];
    return word.is_string() && word.as_string() == "slide";
  }

  bool can_think() const {
    return std::ranges::find(model_info_.capabilities, "thinking") !=
           model_info_.capabilities.end();
  }

  // The server puts the model's own messages first by itself, and its system text where none is
  // sent.
  Json messages_of(const Question& question) const {
    Json out = Json::Array{};
    auto add = [&](const std::string& role, const std::string& content) {
      out.push_back(Json::Object{{"role", role}, {"content", content}});
    };
    const std::vector<ChatMessage>& messages = question.messages;
    const bool system = messages.front().role == "system";
    const std::string& text = system ? messages.front().content : std::string();
    if (text != model_info_.system) add("system", text);
    for (size_t i = (system ? 1 : 0) + model_info_.messages.size(); i < messages.size(); ++i)
      add(messages[i].role, messages[i].content);
    return out;
  }

  // What a server is asked for in either way.
  Json common() const {
    Json out = head();
    out.set("options", sent_);
    out.set("stream", true);
    // Nothing of a conversation is dropped unless it was asked for.
    out.set("truncate", false);
    out.set("shift", slides());
    return out;
  }

  Result<void> send(const Question& question, const JsonSink& sink) {
    Json body = common();
    if (info_.template_text.empty()) {  // plain continuation of what is typed
      const bool goes_on = question.continues();
      const std::vector<ChatMessage>& messages = question.messages;
      body.set("raw", true);
      body.set("prompt", messages[messages.size() - (goes_on ? 2 : 1)].content +
                             (goes_on ? messages.back().content : ""));
      return client_.generate(body, sink);
    }
    body.set("messages", messages_of(question));
    if (question.think && (!*question.think || can_think())) body.set("think", *question.think);
    return client_.chat(body, sink);
  }

  Result<void> describe() {
    const auto name = ModelName::parse(model_);
    info_ = {.name = name ? name->display() : model_,
             .place = client_.url(),
             .params = model_info_.params,
             .system = model_info_.system,
             .template_text = model_info_.template_text,
             .messages = model_info_.messages};
    info_.source = info_.name;
    for (const ServerModel& model : TRY(client_.list()))
      if (same_name(model.name, info_.name)) info_.weight_bytes = model.size;
    context_ = context_max_ = model_info_.context;
    for (const ServerProcess& process : TRY(client_.running()))
      if (same_name(process.name, info_.name) && process.context > 0)
        context_ = context_max_ = process.context;
    const Json& asked = sent_.find("num_ctx") ? sent_["num_ctx"] : model_info_.params["num_ctx"];
    if (asked.is_int()) context_ = std::min(context_, asked.as_int());
    return {};
  }

  ServerClient client_;
  std::string model_;
  const Options& options_;
  ServerModelInfo model_info_;
  AnswererInfo info_;
  int64_t context_ = 0, context_max_ = 0;
  int64_t seed_ = SamplingParams{}.seed;  // where neither the user nor the model has one
  Json given_ = Json::Object{}, set_ = Json::Object{};  // by the command line, and in the chat
  Json sent_ = Json::Object{};                          // Ollama's `options`
};

}  // namespace

Result<std::unique_ptr<Answerer>> server_answerer(ServerClient client, const std::string& model,
                                                  const Options& options) {
  auto made = std::make_unique<ServerAnswerer>(std::move(client), model, options);
  TRY(made->load());
  return made;
}

}  // namespace hearth

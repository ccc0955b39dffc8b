#include "cli/chat/local_answerer.h"

#include <algorithm>
#include <random>

#include "base/sampling_params.h"

namespace hearth {
namespace {

class LocalAnswerer : public Answerer {
 public:
  static Result<std::unique_ptr<Answerer>> load(const std::string& model, const Options& options) {
    std::unique_ptr<LocalAnswerer> made(new LocalAnswerer());
    made->engine_ = TRY(load_engine(model, options));
    made->sampling_ = TRY(sampling_of(options, made->engine_.resolved));
    made->sampling_.n = 1;  // a chat goes on with one answer
    made->format_ = TRY(made->engine_.chat_format());
    TRY(made->make_session(made->engine_.context(options)));
    made->describe();
    return made;
  }

  const AnswererInfo& info() const override { return info_; }
  int64_t context() const override { return session_->context(); }

  Result<void> set_parameters(const Options& parameters, std::string_view changed) override {
    TRY(apply_sampling(parameters, sampling_));
    if (sampling_.seed < 0) reseed();
    if (changed != "num_ctx") return {};
    return make_session(std::min(parameters.integer("num_ctx"), engine_.model->config.context));
  }

  void reseed() override { sampling_.seed = static_cast<int64_t>(std::random_device{}()); }

  Result<GivenAnswer> answer(const Question& question, const AnswerEvents& events) override {
    ChatPrompt prompt = TRY(prompt_of(question));
    trail_.reset();
    if (events.on_begin) events.on_begin(prompt.thinking, prompt.begun);
    Generation answer = TRY(session_->generate(prompt.tokens, sampling_,
                                               {.on_text = events.on_text,
                                                .on_prompt = events.on_prompt,
                                                .cancel = events.cancel}));
    GivenAnswer out{.finish_reason = std::string(name_of(answer.reason)),
                    .timings = answer.timings,
                    .warning = overflow_warning(answer, answer.timings)};
    remember(question, std::move(prompt), answer);
    out.text = std::move(answer.text);
    return out;
  }

 private:
  // The prompt that led to the last answer, with it, and the messages that both stand for.
  struct Trail {
    std::vector<ChatMessage> messages;
    ChatPrompt prompt;
  };

  LocalAnswerer() = default;

  Result<void> make_session(int64_t context) {
    session_ = std::make_unique<Session>(
        TRY(Session::create(*engine_.runner, engine_.tokenizer, context, engine_.kv)));
    return {};
  }

  void describe() {
    const ResolvedModel& resolved = engine_.resolved;
    info_ = {.name = resolved.display_name,
             .place = resolved.path,
             .source = resolved.digest.empty() ? resolved.path : resolved.display_name,
             .weight_bytes = engine_.model->weight_bytes(),
             .params = resolved.params,
             .system = resolved.system,
             .template_text = resolved.template_text.empty() ? engine_.model->chat_template
                                                             : resolved.template_text,
             .messages = resolved.messages};
  }

  Result<ChatPrompt> prompt_of(const Question& question) const {
    const std::vector<ChatMessage>& messages = question.messages;
    if (trail_ && same(trail_->messages, messages)) return trail_->prompt;
    if (format_)
      return format_->prompt(messages, *engine_.tokenizer,
                             {.think = question.think, .continue_last = question.continues()});
    // Plain continuation of what is typed.
    ChatPrompt out;
    if (question.continues()) out.begun = messages.back().content;
    const ChatMessage& last = messages[messages.size() - (question.continues() ? 2 : 1)];
    out.tokens = engine_.tokenizer->encode(last.content + out.begun,
                                           {.add_special = true, .parse_special = false});
    return out;
  }

  static bool same(const std::vector<ChatMessage>& a, const std::vector<ChatMessage>& b) {
    return std::ranges::equal(a, b, [](const ChatMessage& x, const ChatMessage& y) {
      return x.role == y.role && x.content == y.content;
    });
  }

  // Going on from the tokens gives what the model would have written had nothing stopped it, which
  // no template can promise. Not where the text ends before the tokens do, nor amid a character.
  void remember(const Question& question, ChatPrompt prompt, const Generation& answer) {
    std::string text = prompt.begun + answer.text;
    if (!answer.stop_text.empty() || text.ends_with("\uFFFD")) return;
    trail_.emplace(question.messages, std::move(prompt));
    if (question.continues()) trail_->messages.pop_back();
    trail_->messages.push_back({"assistant", text});
    trail_->prompt.tokens.insert(trail_->prompt.tokens.end(), answer.tokens.begin(),
                                 answer.tokens.end());
    trail_->prompt.begun = std::move(text);
  }

  Engine engine_;
  AnswererInfo info_;
  std::optional<ChatFormat> format_;  // nothing: plain continuation
  std::unique_ptr<Session> session_;
  SamplingParams sampling_;
  std::optional<Trail> trail_;
};

}  // namespace

Result<std::unique_ptr<Answerer>> load_answerer(const std::string& model, const Options& options) {
  return LocalAnswerer::load(model, options);
}

}  // namespace hearth

// Answers of OpenAI's routes, byte for byte as its clients and those of vLLM read them.
#include <gtest/gtest.h>

#include <limits>

#include "api/openai.h"
#include "base/file.h"
#include "malformed/failing_new.h"
#include "registry/parameters.h"

namespace hearth::api {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

std::shared_ptr<const Tokenizer> tiny_tokenizer() {
  auto text = read_file(std::string(HEARTH_TEST_DATA) + "/tokenizer/tiny.json", 1u << 20);
  auto fixture = Json::parse(text.value_or("{}"));
  auto made = Tokenizer::from_hugging_face((*fixture)["tokenizer"], Json());
  return made ? *made : nullptr;
}

GenerateRequest request(const std::string& members, bool chat) {
  std::string input = chat ? R"("messages":[{"role":"user","content":"hi"}])" : R"("prompt":"hi")";
  auto body = Json::parse(R"({"model":"m\"1",)" + input + members + "}");
  auto parsed = chat ? parse_openai_chat(*body) : parse_openai_completion(*body);
  EXPECT_TRUE(parsed.has_value()) << parsed.error().error.message;
  return parsed ? std::move(*parsed) : GenerateRequest();
}

class OpenAiWrite : public testing::Test {
 protected:
  void SetUp() override {
    tokenizer_ = tiny_tokenizer();
    ASSERT_NE(tokenizer_, nullptr);
  }
  std::unique_ptr<AnswerWriter> writer(const std::string& members, bool chat = true) {
    GenerateRequest asked = request(members, chat);
    AnswerInfo info{"7Q", 1767322445'999'999'999, asked.model, tokenizer_};
    return chat ? openai_chat_writer(asked, info) : openai_completion_writer(asked, info);
  }
  // What `work` appends.
  template <class F>
  static std::string made(F&& work) {
    std::string out;
    work(out);
    return out;
  }
  static std::string delta(AnswerWriter& writer, const AnswerDelta& delta) {
    return made([&](std::string& out) { writer.delta(delta, out); });
  }
  static std::string whole(AnswerWriter& writer, const std::vector<AnswerChoice>& choices,
                           const Usage& usage = {}) {
    return made([&](std::string& out) { writer.whole(choices, {.usage = usage}, out); });
  }

  // Ids of the tiny vocabulary.
  static constexpr TokenId kBos = 0, kEos = 1, kThe = 271, kIs = 284, kAnd = 286;
  std::shared_ptr<const Tokenizer> tokenizer_;
};

const std::string kChunk =
    R"(data: {"id":"chatcmpl-7Q","object":"chat.completion.chunk","created":1767322445,)"
    R"("model":"m\"1","system_fingerprint":"fp_hearth","choices":[)";
const std::string kTextChunk =
    R"(data: {"id":"cmpl-7Q","object":"text_completion","created":1767322445,)"
    R"("model":"m\"1","system_fingerprint":"fp_hearth","choices":[)";

std::string role_chunk(int index) {
  return kChunk + fmt::format(R"({{"index":{},"delta":{{"role":"assistant","content":""}},)"
                              R"("logprobs":null,"finish_reason":null}}]}})" "\n\n", index);
}

TEST_F(OpenAiWrite, ChatStream) {
  auto w = writer(R"(,"stream":true,"stream_options":{"include_usage":true})");
  EXPECT_EQ(w->stream_type(), "text/event-stream");
  EXPECT_EQ(made([&](auto& out) { w->begin(out); }), role_chunk(0));
  EXPECT_EQ(delta(*w, {.text = "a\n\"b\""}),
            kChunk + R"({"index":0,"delta":{"content":"a\n\"b\""},"logprobs":null,)"
                     R"("finish_reason":null}]})" "\n\n");
  EXPECT_EQ(delta(*w, {.reasoning = "hm"}),
            kChunk + R"({"index":0,"delta":{"reasoning":"hm","reasoning_content":"hm"},)"
                     R"("logprobs":null,"finish_reason":null}]})" "\n\n");
  EXPECT_EQ(delta(*w, {}), "");  // a token whose text is held back
  EXPECT_EQ(made([&](auto& out) { w->choice_end({.reason = FinishReason::kLength}, out); }),
            kChunk + R"({"index":0,"delta":{},"logprobs":null,"finish_reason":"length",)"
                     R"("stop_reason":null}]})" "\n\n");
  Usage usage{.prompt_tokens = 20, .cached_tokens = 16, .generated_tokens = 9,
              .reasoning_tokens = 2};
  EXPECT_EQ(made([&](auto& out) { w->end({.usage = usage}, out); }),
            kChunk + R"(],"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29,)"
                     R"("prompt_tokens_details":{"cached_tokens":16},)"
                     R"("completion_tokens_details":{"reasoning_tokens":2}}})"
                     "\n\ndata: [DONE]\n\n");
  EXPECT_EQ(made([&](auto& out) { w->keep_alive(out); }), ": \n\n");
}

TEST_F(OpenAiWrite, ChatStreamWithoutUsageEndsAtOnce) {
  auto w = writer(R"(,"stream":true)");
  EXPECT_EQ(made([&](auto& out) { w->end({}, out); }), "data: [DONE]\n\n");
}

TEST_F(OpenAiWrite, EachChoiceHasItsRoleOnceAndInOrder) {
  auto w = writer(R"(,"stream":true,"n":2)");
  EXPECT_EQ(made([&](auto& out) { w->begin(out); }), role_chunk(0) + role_chunk(1));
  EXPECT_EQ(delta(*w, {.choice = 1, .text = "x"}).find("role"), std::string::npos);
  // The model's own parameters may ask for more than the request did.
  std::string third = delta(*w, {.choice = 2, .text = "x"});
  EXPECT_TRUE(third.starts_with(role_chunk(2))) << third;
}

TEST_F(OpenAiWrite, UsageWithEveryPiece) {
  auto w = writer(R"(,"stream":true,"stream_options":{"include_usage":true,)"
                  R"("continuous_usage_stats":true})");
  std::string begun = made([&](auto& out) { w->begin(out); });
  EXPECT_TRUE(begun.ends_with(R"("usage":{"prompt_tokens":0,"completion_tokens":0,)"
                              R"("total_tokens":0}})" "\n\n")) << begun;
  EXPECT_EQ(delta(*w, {.text = "x", .prompt_tokens = 5, .generated_tokens = 1}),
            kChunk + R"({"index":0,"delta":{"content":"x"},"logprobs":null,"finish_reason":null}],)"
                     R"("usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}})"
                     "\n\n");
}

TEST_F(OpenAiWrite, ErrorInAStream) {
  auto w = writer(R"(,"stream":true)");
  ApiError error{.error = {Code::kInternal, "the engine stopped"}};
  EXPECT_EQ(made([&](auto& out) { w->error(error, out); }),
            R"(data: {"error":{"message":"the engine stopped","type":"server_error",)"
            R"("param":null,"code":null}})" "\n\ndata: [DONE]\n\n");
}

TEST_F(OpenAiWrite, ChatLogprobs) {
  auto w = writer(R"(,"stream":true,"logprobs":true,"top_logprobs":2)");
  TokenId byte = tokenizer_->find("\u00C3");  // 0xC3, the first byte of a character
  ASSERT_GE(byte, 0);
  std::vector<TokenId> tokens = {byte};
  std::vector<TokenLogprobs> logprobs = {{{byte, -0.5}, {{byte, -0.5}, {kThe, kNever}}}};
  std::string text = delta(*w, {.tokens = tokens, .logprobs = logprobs});
  text.erase(0, role_chunk(0).size());
  EXPECT_EQ(text, kChunk +
      R"({"index":0,"delta":{"content":""},"logprobs":{"content":[)"
      "{\"token\":\"\uFFFD\",\"logprob\":-0.5,\"bytes\":[195],\"top_logprobs\":["
      "{\"token\":\"\uFFFD\",\"logprob\":-0.5,\"bytes\":[195]},"
      R"({"token":" the","logprob":-9999.0,"bytes":[32,116,104,101]}]}],"refusal":null},)"
      R"("finish_reason":null}]})" "\n\n");
}

TEST_F(OpenAiWrite, WholeChat) {
  auto w = writer(R"(,"n":2,"stop":"END","stop_token_ids":[286],"logprobs":true)");
  AnswerChoice first{.end = {.stop_text = "END"}, .text = "a", .reasoning = "r"};
  first.logprobs = {{{kIs, -1}, {}}};
  AnswerChoice second{.end = {.choice = 1, .stop_token = kAnd}, .text = "b"};
  std::string head =
      R"({"id":"chatcmpl-7Q","object":"chat.completion","created":1767322445,"model":"m\"1",)"
      R"("system_fingerprint":"fp_hearth","choices":[)";
  EXPECT_EQ(whole(*w, {first, second}, {.prompt_tokens = 3, .generated_tokens = 2}), head +
      R"({"index":0,"message":{"role":"assistant","content":"a","refusal":null,)"
      R"("reasoning":"r","reasoning_content":"r"},"logprobs":{"content":[)"
      R"({"token":" is","logprob":-1.0,"bytes":[32,105,115],"top_logprobs":[]}],"refusal":null},)"
      R"("finish_reason":"stop","stop_reason":"END"},)"
      R"({"index":1,"message":{"role":"assistant","content":"b","refusal":null},)"
      R"("logprobs":{"content":[],"refusal":null},"finish_reason":"stop","stop_reason":286}],)"
      R"("usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,)"
      R"("prompt_tokens_details":{"cached_tokens":0},)"
      R"("completion_tokens_details":{"reasoning_tokens":0}}})");
}

TEST_F(OpenAiWrite, TheModelsOwnEndIsNoStopReason) {
  auto w = writer("");
  std::string text = whole(*w, {{.end = {.stop_token = kEos}}});
  EXPECT_NE(text.find(R"("finish_reason":"stop","stop_reason":null)"), text.npos) << text;
  EXPECT_NE(text.find(R"("content":"")"), text.npos) << text;
  EXPECT_EQ(text.find("reasoning\":\""), text.npos);
  EXPECT_EQ(text.find("\"error\""), text.npos);
}

// The scoring contract: the first token has no log probability, the texts of the others have the
// same number in both lists, offsets count characters, one token follows the prompt.
TEST_F(OpenAiWrite, CompletionThatEchoesItsPrompt) {
  auto w = writer(R"(,"echo":true,"logprobs":1,"max_tokens":1)", false);
  AnswerChoice choice{.end = {.reason = FinishReason::kLength}, .text = " is"};
  choice.prompt = {kThe, kAnd};
  choice.prompt_text = " the and";
  choice.prompt_logprobs = {{{kAnd, -5.125}, {{kIs, -0.25}}}};
  choice.tokens = {kIs};
  choice.logprobs = {{{kIs, -0.02}, {{kIs, -0.02}}}};
  EXPECT_EQ(whole(*w, {choice}, {.prompt_tokens = 2, .generated_tokens = 1}),
      R"({"id":"cmpl-7Q","object":"text_completion","created":1767322445,"model":"m\"1",)"
      R"("system_fingerprint":"fp_hearth","choices":[{"index":0,"text":" the and is",)"
      R"("logprobs":{"tokens":[" the"," and"," is"],"token_logprobs":[null,-5.125,-0.02],)"
      R"("top_logprobs":[null,{" and":-5.125," is":-0.25},{" is":-0.02}],)"
      R"("text_offset":[0,4,8]},"finish_reason":"length","stop_reason":null,)"
      R"("prompt_logprobs":[null,{"286":{"logprob":-5.125,"rank":null,"decoded_token":" and"},)"
      R"("284":{"logprob":-0.25,"rank":1,"decoded_token":" is"}}]}],)"
      R"("usage":{"prompt_tokens":2,"completion_tokens":1,"total_tokens":3,)"
      R"("prompt_tokens_details":{"cached_tokens":0},)"
      R"("completion_tokens_details":{"reasoning_tokens":0}}})");
}

TEST_F(OpenAiWrite, AnEndTokenIsTheOneThatFollowsAnEchoedPrompt) {
  auto w = writer(R"(,"echo":true,"logprobs":0,"max_tokens":1)", false);
  AnswerChoice choice{.end = {.stop_token = kEos}};
  choice.prompt = {kBos, kThe};
  choice.prompt_text = "\u00E9";  // of another length than its tokens: what follows knows better
  choice.prompt_logprobs = {{{kThe, -2}, {}}};
  std::string text = whole(*w, {choice});
  EXPECT_NE(text.find(R"("tokens":["<s>"," the","</s>"],"token_logprobs":[null,-2.0,null],)"
                      R"("top_logprobs":[null,{" the":-2.0},null],"text_offset":[0,0,1]})"),
            text.npos) << text;
  // Where the engine knows how likely the end was, it is told.
  choice.logprobs = {{{kEos, -0.5}, {{kEos, -0.5}}}};
  text = whole(*w, {choice});
  EXPECT_NE(text.find(R"("token_logprobs":[null,-2.0,-0.5])"), text.npos) << text;
}

TEST_F(OpenAiWrite, TokensOfOneTextStandOnceWithTheLikeliest) {
  auto w = writer(R"(,"logprobs":3)", false);
  TokenId a = tokenizer_->find("\u00C3"), b = tokenizer_->find("\u00C4");  // both lone bytes
  ASSERT_TRUE(a >= 0 && b >= 0);
  AnswerChoice choice;
  choice.tokens = {a};
  choice.logprobs = {{{a, -3}, {{b, -1}, {kThe, -2}, {a, -3}}}};
  std::string text = whole(*w, {choice});
  EXPECT_NE(text.find("\"top_logprobs\":[{\"\uFFFD\":-1.0,\" the\":-2.0}]"), text.npos) << text;
}

TEST_F(OpenAiWrite, CompletionStream) {
  auto w = writer(R"(,"stream":true,"echo":true,"logprobs":0)", false);
  EXPECT_EQ(made([&](auto& out) { w->begin(out); }), "");
  std::vector<TokenId> prompt = {kThe, kAnd}, next = {kIs};
  std::vector<TokenLogprobs> of_prompt = {{{kAnd, -1.5}, {}}}, of_next = {{{kIs, -0.5}, {}}};
  EXPECT_EQ(delta(*w, {.text = " the and", .tokens = prompt, .logprobs = of_prompt}), kTextChunk +
      R"({"index":0,"text":" the and","logprobs":{"tokens":[" the"," and"],)"
      R"("token_logprobs":[null,-1.5],"top_logprobs":[null,{" and":-1.5}],"text_offset":[0,4]},)"
      R"("finish_reason":null}]})" "\n\n");
  EXPECT_EQ(delta(*w, {.text = " is", .tokens = next, .logprobs = of_next}), kTextChunk +
      R"({"index":0,"text":" is","logprobs":{"tokens":[" is"],"token_logprobs":[-0.5],)"
      R"("top_logprobs":[{" is":-0.5}],"text_offset":[8]},"finish_reason":null}]})" "\n\n");
  EXPECT_EQ(made([&](auto& out) { w->choice_end({.stop_text = "E"}, out); }), kTextChunk +
      R"({"index":0,"text":"","logprobs":null,"finish_reason":"stop","stop_reason":"E"}]})"
      "\n\n");
}

TEST_F(OpenAiWrite, APieceAllocatesNothing) {
  for (bool chat : {true, false}) {
    auto w = writer(R"(,"stream":true,"stream_options":{"include_usage":true,)"
                    R"("continuous_usage_stats":true})", chat);
    std::vector<TokenId> tokens = {kThe};
    AnswerDelta piece{.text = "a text that is longer than a short string \"\n\u00e9",
                      .tokens = tokens,
                      .prompt_tokens = INT64_MAX / 4,
                      .generated_tokens = INT64_MAX / 4};
    std::string out;
    w->begin(out);
    out.reserve(1 << 16);
    arm_failure(1, false);
    for (int i = 0; i < 20; ++i) w->delta(piece, out);
    EXPECT_FALSE(disarm_failure());
  }
}

TEST_F(OpenAiWrite, EveryPieceIsOneLineOfJson) {
  auto w = writer(R"(,"stream":true,"logprobs":true)");
  std::string text;
  for (int c = 0; c < 256; ++c) text += static_cast<char>(c);
  std::string out = delta(*w, {.text = text, .reasoning = text});
  out.erase(0, role_chunk(0).size());
  ASSERT_TRUE(out.starts_with("data: ") && out.ends_with("\n\n"));
  EXPECT_EQ(out.find('\n'), out.size() - 2);
  auto json = Json::parse(out.substr(6));
  ASSERT_TRUE(json.has_value()) << json.error().message;
  const Json& told = (*json)["choices"].as_array()[0]["delta"];
  EXPECT_EQ(told["content"].as_string().substr(0, 128), text.substr(0, 128));
  EXPECT_EQ(told["reasoning"], told["content"]);
}

// ---- errors

TEST(OpenAiError, StatusTypeAndSlug) {
  struct Row {
    Code code;
    const char* given;
    int status;
    const char* type;
    const char* slug;  // nullptr: null
  };
  for (const Row& row :
       {Row{Code::kInvalid, "", 400, "invalid_request_error", nullptr},
        Row{Code::kCorrupt, "", 400, "invalid_request_error", nullptr},
        Row{Code::kTooLarge, "", 413, "invalid_request_error", "request_too_large"},
        Row{Code::kTooLarge, "context_length_exceeded", 400, "invalid_request_error",
            "context_length_exceeded"},
        Row{Code::kNotFound, "", 404, "invalid_request_error", "model_not_found"},
        Row{Code::kNotFound, "unknown_url", 404, "invalid_request_error", "unknown_url"},
        Row{Code::kBusy, "", 503, "service_unavailable_error", "overloaded"},
        Row{Code::kBusy, "rate_limit_exceeded", 429, "rate_limit_error", "rate_limit_exceeded"},
        Row{Code::kDenied, "invalid_api_key", 401, "authentication_error", "invalid_api_key"},
        Row{Code::kDenied, "", 403, "permission_error", "permission_denied"},
        Row{Code::kUnsupported, "", 400, "invalid_request_error", "unsupported"},
        Row{Code::kInternal, "", 500, "server_error", nullptr}}) {
    ApiReply reply = openai_error({.error = {row.code, "why"}, .code = row.given});
    EXPECT_EQ(reply.status, row.status) << reply.body;
    auto body = Json::parse(reply.body);
    ASSERT_TRUE(body.has_value());
    const Json& error = (*body)["error"];
    EXPECT_EQ(error["message"], Json("why"));
    EXPECT_EQ(error["type"], Json(row.type));
    EXPECT_EQ(error["code"], row.slug != nullptr ? Json(row.slug) : Json());
    EXPECT_TRUE(error.find("param") != nullptr && error["param"].is_null());
  }
}

// Clients repeat 5xx: only what may get better may have one.
TEST(OpenAiError, WhatStaysWrongIsNotRepeated) {
  for (int i = 0; i <= static_cast<int>(Code::kInternal); ++i) {
    auto code = static_cast<Code>(i);
    int status = openai_error({.error = {code, "why"}}).status;
    bool fault = code == Code::kIo || code == Code::kInternal;
    bool repeated = status == 408 || status == 409 || status == 429 || status >= 500;
    EXPECT_EQ(repeated, info(code).retryable || fault) << i;
  }
}

// ---- models and tokens

TEST(OpenAiModels, ListAndOne) {
  EXPECT_EQ(openai_models({}), R"({"object":"list","data":[]})");
  std::vector<ModelEntry> models = {{.id = "a/b:c", .created_s = 5, .context_max = 4096,
                                     .size_bytes = 7},
                                    {.id = "x"}};
  std::string one =
      R"({"id":"a/b:c","object":"model","created":5,"owned_by":"library","root":"a/b:c",)"
      R"("parent":null,"max_model_len":4096,"meta":{"n_ctx":4096,"size":7}})";
  EXPECT_EQ(openai_model(models[0]), one);
  EXPECT_EQ(openai_models(models), R"({"object":"list","data":[)" + one +
      R"(,{"id":"x","object":"model","created":0,"owned_by":"library","root":"x",)"
      R"("parent":null,"max_model_len":null}]})");
}

std::string tokenized(const char* body) {
  auto tokenizer = tiny_tokenizer();
  auto parsed = parse_tokenize(*Json::parse(body));
  if (!parsed) return "refused: " + parsed.error().param;
  return write_tokenized(*parsed, tokenize(*parsed, *tokenizer), *tokenizer, 64);
}

TEST(OpenAiTokens, TokenizeInBothServersWords) {
  EXPECT_EQ(tokenized(R"({"model":"m","prompt":" the and"})"),
            R"({"count":2,"max_model_len":64,"tokens":[271,286],"token_strs":null})");
  EXPECT_EQ(tokenized(R"({"prompt":" the","return_token_strs":true,"add_special_tokens":false})"),
            "{\"count\":1,\"max_model_len\":64,\"tokens\":[271],\"token_strs\":[\"\u0120the\"]}");
  EXPECT_EQ(tokenized(R"({"content":" the\u00e9","with_pieces":true})"),
            R"({"count":3,"max_model_len":64,"tokens":[{"id":271,"piece":" the"},)"
            R"({"id":129,"piece":[195]},{"id":104,"piece":[169]}],"token_strs":null})");
  EXPECT_EQ(tokenized(R"({"content":"<s>"})"),
            R"({"count":1,"max_model_len":64,"tokens":[0],"token_strs":null})");
  EXPECT_EQ(tokenized(R"({"content":"<s>","parse_special":false})").substr(0, 11), "{\"count\":3,");
  EXPECT_EQ(tokenized("{}"), "refused: prompt");
  EXPECT_EQ(tokenized(R"({"prompt":5})"), "refused: prompt");
  EXPECT_EQ(tokenized(R"({"prompt":"a","add_special_tokens":1})"), "refused: add_special_tokens");
  EXPECT_EQ(tokenized(R"({"messages":[{"role":"x"}]})"), "refused: messages[0].role");
  EXPECT_EQ(tokenized("[]"), "refused: body");
  auto vllm = parse_tokenize(*Json::parse(R"({"prompt":"a"})"));
  auto llama = parse_tokenize(*Json::parse(R"({"content":"a"})"));
  auto added = parse_tokenize(*Json::parse(R"({"content":"a","add_special":true})"));
  EXPECT_TRUE(vllm->add_special && !llama->add_special && added->add_special);
  auto chat = parse_tokenize(*Json::parse(R"({"messages":[{"role":"user","content":"a"}]})"));
  EXPECT_TRUE(chat.has_value() && !chat->text && chat->messages.size() == 1);
}

TEST(OpenAiTokens, Detokenize) {
  auto tokenizer = tiny_tokenizer();
  auto text = [&](const char* body) -> std::string {
    auto parsed = parse_detokenize(*Json::parse(body));
    if (!parsed) return "refused: " + parsed.error().param;
    auto out = detokenize(*parsed, *tokenizer);
    return out ? *out : "refused: " + out.error().param;
  };
  EXPECT_EQ(text(R"({"tokens":[271,1]})"), R"({"prompt":" the</s>","content":" the</s>"})");
  EXPECT_EQ(text(R"({"tokens":[]})"), R"({"prompt":"","content":""})");
  EXPECT_EQ(text(R"({"tokens":[1,288]})"), "refused: tokens[1]");
  EXPECT_EQ(text(R"({"tokens":[1,-1]})"), "refused: tokens[1]");
  EXPECT_EQ(text(R"({"tokens":[2147483648]})"), "refused: tokens[0]");
  EXPECT_EQ(text("{}"), "refused: tokens");
}

}  // namespace
}  // namespace hearth::api

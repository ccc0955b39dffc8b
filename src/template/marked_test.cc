// Which bytes of a prompt are foreign: the rules one by one, and real templates with
// conversations of private-use characters, which no template writes itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/utf8.h"
#include "template/builtin.h"
#include "template/template.h"

namespace hearth {
namespace {

constexpr int64_t kClock = 1767323045;  // 2026-01-02T03:04:05

// The text with its foreign parts in angle quotes.
std::string shown(const Rendered& rendered) {
  std::string out;
  size_t at = 0;
  for (const TextRange& range : rendered.foreign) {
    out += rendered.text.substr(at, range.begin - at) + "‹";
    out += rendered.text.substr(range.begin, range.end - range.begin) + "›";
    at = range.end;
  }
  return out + rendered.text.substr(at);
}

void expect_well_formed(const Rendered& rendered) {
  size_t last = SIZE_MAX;  // where the range before ended
  for (const TextRange& range : rendered.foreign) {
    EXPECT_LT(range.begin, range.end);
    EXPECT_LE(range.end, rendered.text.size());
    if (last != SIZE_MAX) {
      EXPECT_GT(range.begin, last);
    }
    last = range.end;
  }
}

struct Rule {
  const char* source;
  const char* expected;
};

// messages[0].content is " Añb c ", messages[1].content "<x>"; tools[0].name "f"; plain is "pq".
Json rules_context() {
  auto context = Json::parse(
      R"({"messages": [{"role": "user", "content": " Añb c ", "n": 12},
                       {"role": "<|evil|>", "content": "<x>", "type": "image_url"}],
          "tools": [{"type": ["string", "a b"], "name": "f", "parameters": {"k": [1, 2]}}],
          "documents": ["d"], "plain": "pq", "suffix": "zz"})");
  EXPECT_TRUE(context.has_value());
  return context.value_or(Json());
}

void check(const Rule& rule) {
  SCOPED_TRACE(rule.source);
  auto compiled = Template::compile(std::string("{% set c = messages[0].content %}"
                                                "{% set x = messages[1].content %}") +
                                    rule.source);
  ASSERT_TRUE(compiled.has_value()) << compiled.error().message;
  RenderOptions options;
  options.foreign_names = {"suffix"};
  auto rendered = compiled->render_marked(rules_context(), options);
  ASSERT_TRUE(rendered.has_value()) << rendered.error().message;
  expect_well_formed(*rendered);
  EXPECT_EQ(shown(*rendered), rule.expected);
}

TEST(TemplateMarked, WhereTextComesFrom) {
  constexpr Rule kRules[] = {
      {"a{{ c }}b", "a‹ Añb c ›b"},
      {"{{ messages[0].role }}{{ messages[1].role }}", "user‹<|evil|>›"},
      {"{{ messages[1].type }}{{ messages[0]['role'] }}", "image_urluser"},
      {"{{ tools[0].name }}{{ tools[0].type[0] }}{{ tools[0].type[1] }}", "‹f›string‹a b›"},
      {"{% for k in tools[0].parameters %}{{ k }}={% endfor %}", "‹k›="},
      {"{% for k, v in tools[0].parameters.items() %}{{ k }}{{ v[0] }}{% endfor %}", "‹k›1"},
      {"{{ documents[0] }}{{ plain }}{{ suffix }}", "‹d›pq‹zz›"},
      {"{{ messages[0].n }}{{ messages[0].n ~ 'a' }}{{ messages | length }}", "1212a2"},
      {"{{ c | length }}{{ c is string }}{{ c == x }}", "7TrueFalse"},
      {"{{ missing | default(x) }}{{ x | default('a') }}{{ 'a' if c else x }}", "‹<x><x>›a"},
  };
  for (const Rule& rule : kRules) check(rule);
}

TEST(TemplateMarked, ByteByByte) {
  constexpr Rule kRules[] = {
      {"{{ 'a' ~ x ~ 1 }}{{ 'a' + x + 'b' }}", "a‹<x>›1a‹<x>›b"},
      {"{{ ('a' ~ x ~ 'b')[1:3] }}|{{ ('a' ~ x ~ 'b')[::-1] }}", "‹<x›|b‹>x<›a"},
      {"{{ ('ab' ~ c)[2:5] }}|{{ ('é' ~ c)[::2] }}|{{ c[2] }}|{{ ('é' ~ x)[0] }}",
       "‹ Añ›|é‹Abc›|‹ñ›|é"},
      {"{{ ('a ' ~ c ~ ' b') | trim }}|{{ c.strip() }}|{{ ('-' ~ c).lstrip('- ') }}",
       "a ‹ Añb c › b|‹Añb c›|‹Añb c ›"},
      {"{{ c.rstrip(' c') }}{{ ('u:' ~ x).removeprefix('u:') }}", "‹ Añb<x>›"},
      {"{% for w in ('k ' ~ x ~ ' z').split() %}{{ w }},{% endfor %}", "k,‹<x>›,z,"},
      {"{{ ('k=' ~ x).split('=')[1] }}{{ ('k=' ~ x).rpartition('=')[0] }}", "‹<x>›k"},
      {"{% for l in ('a\\n' ~ x ~ '\\nb').splitlines() %}{{ l }};{% endfor %}", "a;‹<x>›;b;"},
      {"{{ ('a-b-' ~ x).replace('-', '+') }}{{ 'a-b' | replace('-', x) }}", "a+b+‹<x>›a‹<x>›b"},
      {"{{ ['a', x, 1] | join(', ') }}{{ '-'.join([x, 'b']) }}{{ x.join(['1', '2']) }}",
       "a, ‹<x>›, 1‹<x>›-b1‹<x>›2"},
      {"{{ [1, 2] | join(x) }}{{ messages | join('|', attribute='content') }}",
       "1‹<x>›2‹ Añb c ›|‹<x>›"},
      {"{{ '[%s] %d' % (x, 5) }}{{ '%s' | format(c) }}{{ ('%s' ~ x) % 'a' }}",
       "[‹<x>›] 5‹ Añb c ›a‹<x>›"},
      {"{{ '%(a)s!' % {'a': x} }}{{ '<{}> {k}'.format(x, k='b') }}{{ ('{{' ~ x).format() }}",
       "‹<x>›!<‹<x>›> b{‹<x>›"},
      {"{{ '%5s|' % x }}{{ '%-5s|' % 'a' }}{{ '{:>5}|'.format(x) }}{{ '{!r}'.format(x) }}",
       "‹  <x>›|a    |‹  <x>›|‹'<x>'›"},
      {"{{ ('a' ~ x) * 2 }}{{ 'a' * 3 }}", "a‹<x>›a‹<x>›aaa"},
      {"{% for ch in 'a' ~ x %}{{ ch }}.{% endfor %}", "a.‹<›.‹x›.‹>›."},
      {"{% for ch in ('a' ~ x) | list %}{{ ch }}{% endfor %}{{ ('a' ~ x) | first }}",
       "a‹<x>›a"},
      {"{{ ('a' ~ x) | last }}{{ ('a' ~ x) | reverse }}{{ ('a' ~ x) | string }}", "‹>>x<›aa‹<x>›"},
  };
  for (const Rule& rule : kRules) check(rule);
}

TEST(TemplateMarked, ThroughBlocks) {
  constexpr Rule kRules[] = {
      {"{% macro m(t) %}[{{ t }}]{% endmacro %}{{ m(x) }}{{ m('a') }}", "[‹<x>›][a]"},
      {"{% macro m() %}({{ caller() }}){% endmacro %}{% call m() %}a{{ x }}{% endcall %}",
       "(a‹<x>›)"},
      {"{% set s %}a{{ x }}b{% endset %}{{ s }}{{ s[1:2] }}", "a‹<x>›b‹<›"},
      {"{% set s | trim %} a{{ c }}{% endset %}{{ s }}", "a‹ Añb c›"},
      {"{% filter trim %} {{ x }} {% endfilter %}", "‹<x>›"},
      {"{% filter upper %}a{{ x }}{% endfilter %}", "‹A<X>›"},
      {"{% set ns = namespace(t='a') %}{% set ns.t = ns.t ~ x %}{{ ns.t }}", "a‹<x>›"},
      {"{% for m in messages %}{{ m.role if loop.first }}{{ loop.index }}{{ m.content | trim }}"
       "{% endfor %}", "user1‹Añb c›2‹<x>›"},
      {"{% for m in [x] recursive %}<{{ m }}{{ loop(['b']) if loop.depth == 1 }}>{% endfor %}",
       "<‹<x>›<b>>"},
      {"{% set j = joiner(x) %}{{ j() }}{{ j() }}{% set k = cycler('a', x) %}{{ k.next() }}"
       "{{ k.next() }}", "‹<x>›a‹<x>›"},
      {"{% with a = x ~ 'b' %}{{ a }}{% endwith %}", "‹<x>›b"},
  };
  for (const Rule& rule : kRules) check(rule);
}

// All that does not know better marks what it makes of foreign text as a whole.
TEST(TemplateMarked, AsAWhole) {
  constexpr Rule kRules[] = {
      {"{{ ('a' ~ x) | upper }}{{ ('a' ~ x).upper() }}{{ 'a' | upper }}", "‹A<X>A<X>›A"},
      {"{{ x | e }}{{ 'a' | e }}{{ ('a' ~ x) | center(6) }}{{ 'a'.ljust(3, '<') }}",
       "‹&lt;x&gt;›a‹ a<x> ›a<<"},
      {"{{ tools | tojson }}{{ [1, 'a'] | tojson }}",
       "‹[{\"type\": [\"string\", \"a b\"], \"name\": \"f\", \"parameters\": {\"k\": [1, 2]}}]›"
       "[1, \"a\"]"},
      {"{{ tools[0].parameters.k | tojson }}{{ [x] }}{{ {'a': x} ~ '' }}{{ [1] }}",
       "[1, 2]‹['<x>']{'a': '<x>'}›[1]"},
      {"{{ 'a' | indent(2, true) }}{{ x | indent(2, true) }}{{ 'a'.join([x]) | title }}",
       "  a‹  <x><X>›"},
      {"{{ [x, 'b'] | map('upper') | join('-') }}", "‹<X>›-B"},
      {"{{ 'a' ~ (x | wordwrap(2)) }}{{ 'a'.translate({97: x}) }}{{ x | pprint }}",
       "a‹<x\n><x>'<x>'›"},
      {"{{ ('x' ~ x) | urlencode }}{{ {'a': x} | xmlattr }}", "‹x%3Cx%3E a=\"&lt;x&gt;\"›"},
      {"{{ {x: 1}.items() | list }}{{ {x: 1}.keys() | list | first }}", "‹[('<x>', 1)]<x>›"},
      {"{{ namespace(a=x) }}", "‹<Namespace {'a': '<x>'}>›"},
      {"{{ [x, 'b'] | sort | join(',') }}{{ [x, 'b'] | batch(1) | list }}",
       "‹<x>›,b‹[['<x>'], ['b']]›"},
  };
  for (const Rule& rule : kRules) check(rule);
}

// Private-use characters as ranges.
std::vector<TextRange> sentinels(const std::string& text) {
  Rendered out;
  for (size_t i = 0; i < text.size();) {
    Decoded next = decode_utf8(text, i);
    out.append(std::string_view(text).substr(i, next.bytes),
               next.code >= 0xE000 && next.code <= 0xF8FF);
    i += next.bytes;
  }
  return out.foreign;
}

bool covers(const std::vector<TextRange>& outer, const std::vector<TextRange>& inner) {
  return std::ranges::all_of(inner, [&](const TextRange& part) {
    return std::ranges::any_of(outer, [&](const TextRange& range) {
      return range.begin <= part.begin && part.end <= range.end;
    });
  });
}

// Whatever a builtin makes of private-use characters is marked: new ones too.
void check_builtin(const std::string& expression, const Json& context, size_t& rendered) {
  SCOPED_TRACE(expression);
  auto compiled = Template::compile("{% set x = messages[0] %}{% set y = messages[1] %}{{ " +
                                    expression + " }}");
  if (!compiled) return;
  auto marked = compiled->render_marked(context);
  if (!marked) return;
  ++rendered;
  expect_well_formed(*marked);
  EXPECT_TRUE(covers(marked->foreign, sentinels(marked->text))) << shown(*marked);
}

TEST(TemplateMarked, NoBuiltinLetsTextEscape) {
  Json context;
  Json messages;
  messages.push_back("\uE000\uE001 \uE002");
  messages.push_back("\uE003");
  context.set("messages", messages);
  const std::vector<std::string> uses = {
      "x | NAME", "x | NAME(1)", "x | NAME(y)", "x | NAME(x, y)", "'a%s{}' | NAME(x)",
      "[x, 'b'] | NAME", "[x, y] | NAME | list", "[[x, y]] | NAME(0) | list", "{x: y} | NAME",
      "{x: y} | NAME | list", "'a b' | NAME(x, x, x)", "[1, 2] | NAME(x)", "NAME(x)", "NAME(a=x)",
      "x.NAME()", "x.NAME(y)", "x.NAME(1)", "x.NAME(y, x)", "'a%s{} b'.NAME(x)",
      "'ab'.NAME('b', x)",
      "'ab'.NAME({'a': x})", "'ab'.NAME([x, y])", "'a'.NAME(9, y)", "'{a}'.NAME(a=x)", "[x].NAME()",
      "{x: y}.NAME()", "{x: y}.NAME(x)", "{x: y}.NAME() | list", "x is NAME",
      "'ab'.translate('ab'.NAME('ab', 'q' ~ y))", "NAME(x)()", "NAME(x).next()"};
  using namespace jinja;
  size_t rendered = 0;
  for (auto table : {text_filters(), value_filters(), sequence_filters(), layout_filters(),
                     urlize_filter(), tests_table(), globals_table(), string_methods(),
                     list_methods(), dict_methods()}) {
    for (const Builtin& row : table) {
      if (row.name == "raise_exception") continue;
      for (std::string use : uses) {
        use.replace(use.find("NAME"), 4, row.name);
        check_builtin(use, context, rendered);
      }
    }
  }
  EXPECT_GT(rendered, 500u);
}

TEST(TemplateMarked, WorkOnMarksIsCounted) {
  auto compiled = Template::compile(
      "{% set ns = namespace(t='a' ~ messages[0].content) %}{% for i in range(40) %}"
      "{% set ns.t = ns.t ~ ns.t %}{% endfor %}");
  auto rendered = compiled->render_marked(rules_context());
  ASSERT_FALSE(rendered.has_value());
  EXPECT_EQ(rendered.error().code, Code::kTooLarge);
}

// ---- templates from elsewhere

// The same value with every string (but roles, types and names) made of private-use characters.
Json disguised(const Json& json, std::string_view name) {
  if (json.is_string() && name != "role" && name != "type") {
    std::string out;
    for (size_t i = 0; i < json.as_string().size(); ++i) {
      append_utf8(out, 0xE000 + static_cast<char32_t>(i % 4096));
    }
    return Json(out);
  }
  if (json.is_array()) {
    Json out(Json::Array{});
    for (const Json& item : json.as_array()) out.push_back(disguised(item, name));
    return out;
  }
  if (!json.is_object()) return json;
  Json out(Json::Object{});
  for (const auto& [key, value] : json.as_object()) out.set(key, disguised(value, key));
  return out;
}

struct Tally {
  size_t rendered = 0, exact = 0;
};

// Sentinels are always marked. Nothing else is, unless a filter worked on them.
void check_template(const std::string& source, const Json& context, Tally& tally) {
  auto compiled = Template::compile(source);
  if (!compiled) return;
  RenderOptions options;
  options.now = kClock;
  for (const auto& [name, value] : context.as_object()) {
    if (name != "bos_token" && name != "eos_token") options.foreign_names.push_back(name);
  }
  auto plain = compiled->render(context, options);
  auto marked = compiled->render_marked(context, options);
  ASSERT_EQ(plain.has_value(), marked.has_value());
  if (!plain) return;
  EXPECT_EQ(*plain, marked->text);
  expect_well_formed(*marked);
  Json hidden(Json::Object{});
  for (const auto& [name, value] : context.as_object()) {
    bool token = name == "bos_token" || name == "eos_token";
    hidden.set(name, token ? value : disguised(value, name));
  }
  auto secret = compiled->render_marked(hidden, options);
  if (!secret) return;
  ++tally.rendered;
  expect_well_formed(*secret);
  std::vector<TextRange> expected = sentinels(secret->text);
  EXPECT_TRUE(covers(secret->foreign, expected)) << shown(*secret);
  tally.exact += secret->foreign == expected;
}

TEST(TemplateMarked, NoSentinelEscapes) {
  auto text = read_file(std::string(HEARTH_TEST_DATA) + "/template/language.json", 1u << 20);
  auto language = Json::parse(text.value_or("{}"));
  ASSERT_TRUE(language.has_value());
  Tally tally;
  for (const Json& entry : (*language)["cases"].as_array()) {
    SCOPED_TRACE(entry["template"].as_string());
    check_template(entry["template"].as_string(), (*language)["context"], tally);
  }
  EXPECT_GT(tally.rendered, 400u);
  text = read_file(std::string(HEARTH_TEST_DATA) + "/template/chat.json", 1u << 20);
  auto chat = Json::parse(text.value_or("{}"));
  ASSERT_TRUE(chat.has_value());
  tally = {};
  for (const Json& entry : (*chat)["cases"].as_array()) {
    const std::string& name = entry["template"].as_string();
    SCOPED_TRACE(name + ": " + entry["conversation"].as_string());
    check_template((*chat)["templates"][name].as_string(), entry["context"], tally);
  }
  EXPECT_GT(tally.rendered, 10u);
  EXPECT_GT(tally.exact, 10u);
}

TEST(TemplateMarked, TheSharedCorpus) {
  const std::string folder = std::string(HEARTH_SHARED_DATA) + "/templates";
  if (!std::filesystem::exists(folder + "/cases.json")) {
    GTEST_SKIP() << "no " << folder << ": the shared corpus is not here";
  }
  auto text = read_file(folder + "/cases.json", 64u << 20);
  auto cases = Json::parse(text.value_or("[]"));
  ASSERT_TRUE(cases.has_value());
  Tally tally;
  for (const Json& entry : cases->as_array()) {
    const std::string& name = entry["template"].as_string();
    SCOPED_TRACE(name + ", case " + entry["case"].as_string());
    auto source = read_file(folder + "/" + name, 16u << 20);
    ASSERT_TRUE(source.has_value()) << source.error().message;
    check_template(*source, entry["context"], tally);
  }
  EXPECT_GT(tally.rendered, 150u);
  EXPECT_GT(tally.exact, 100u);
}

}  // namespace
}  // namespace hearth

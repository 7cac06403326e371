using Narad.Kafka.Diagnostics;

namespace Narad.Kafka.Tests.Security;

/// <summary>Text from outside cannot write to a terminal, begin a line of a log, or fill it.</summary>
public sealed class ForeignTextTests
{
    [Theory]
    [InlineData("\u001b[2K\u0007forged", "\\u001b[2K\\u0007forged")]
    [InlineData("broker\r\nKafka connection successful", "broker\\r\\nKafka connection successful")]
    [InlineData("a\u0085b\u2028c\u2029d", "a\\u0085b\\u2028c\\u2029d")]
    [InlineData("\u202Egpj.exe\u200B", "\\u202egpj.exe\\u200b")]
    public void Control_and_direction_characters_are_written_as_escapes(string text, string shown)
    {
        ForeignText.Name(text).Should().Be(shown);
        ForeignText.Reason(text).Should().Be(shown);
    }

    [Theory]
    [InlineData("orders-retry")]
    [InlineData("Überweisung № 5 — 注文 🙂")]
    public void Plain_text_is_shown_as_it_is(string text) => ForeignText.Name(text).Should().BeSameAs(text);

    [Fact]
    public void Long_text_is_cut_and_its_length_is_said()
    {
        var shown = ForeignText.Name(new string('x', 900_000));

        shown.Should().StartWith("xxx").And.EndWith("… (900000 characters)");
        shown.Length.Should().BeLessThan(130);
        ForeignText.Reason(new string('\u001b', 900_000)).Length.Should().BeLessThan(ForeignText.MostOfReason + 60);
    }

    [Fact]
    public void Half_a_character_is_written_as_an_escape() => ForeignText.Name("half \ud83d of one").Should().Be("half \\ud83d of one");

    [Fact]
    public void Lines_stay_where_they_may()
    {
        ForeignText.Lines("at A\r\nat B\u001b").Should().Be("at A\r\nat B\\u001b");
        ForeignText.Name(null).Should().BeNull();
    }
}

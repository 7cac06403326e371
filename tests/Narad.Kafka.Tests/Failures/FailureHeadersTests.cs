using System.Globalization;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Narad.Kafka.Failures;

namespace Narad.Kafka.Tests.Failures;

/// <summary>What a copy's headers say, and that nothing of the application's is lost or trusted.</summary>
[Trait("Promise", "S23")]
public sealed class FailureHeadersTests
{
    private static readonly DateTimeOffset Written = DateTimeOffset.FromUnixTimeMilliseconds(1_800_000_000_000);
    private static readonly FailureOrigin Origin = new("orders", 3, 42, Written.ToUnixTimeMilliseconds(), "billing");
    private static readonly TimeSpan Longest = TimeSpan.FromDays(7);

    // Names that collide with ours as often as not, and values of every kind.
    private static readonly Gen<MessageHeaders> Headers =
        from headers in Gen.ListOf(
            from name in Gen.OneOf(
                Gen.Elements("retry", "narad-topic", "narad-partition", "narad-offset", "narad-timestamp", "narad-group", "narad-due", "narad-exception-type",
                    "traceparent", ""),
                Gen.Elements("größe", "x", "X"))
            from value in Gen.OneOf(
                Gen.Constant<byte[]?>(null),
                Gen.Elements<byte[]?>([], [0xFF, 0xFE], [0]),
                Gen.Elements("-1", "0", "1", "3", "99999999999999999999999", "9223372036854775807", "-9223372036854775808", "253402300799999", "+5", " 5",
                    "5 ", "5.0", "0x5", "٥", "orders")
                    .Select(text => (byte[]?)Encoding.UTF8.GetBytes(text)))
            select (name, value))
        select headers.Aggregate(new MessageHeaders(), (all, header) =>
        {
            all.AddReceived(header.name, header.value);
            return all;
        });

    [Fact]
    public void Headers_of_the_application_are_the_same_after_any_number_of_attempts_and_the_size_does_not_grow() =>
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll(Headers.ToArbitrary(), sent =>
        {
            var copy = FailureHeaders.For(sent, isRetryRecord: false, Origin, retry: 1, Written, new TimeoutException("first"));
            var size = Size(copy);
            for (var attempt = 2; attempt <= 9; attempt++)
            {
                copy = FailureHeaders.For(copy, isRetryRecord: true, FailureHeaders.OriginOf(copy)!.Value, attempt, Written, new TimeoutException("again"));
                Size(copy).Should().Be(size);
            }

            var dead = FailureHeaders.For(copy, isRetryRecord: true, FailureHeaders.OriginOf(copy)!.Value, retry: null, due: null,
                new TimeoutException("last"));
            foreach (var one in new[] { copy, dead })
            {
                Plain(FailureHeaders.WithoutOurs(one)).Should().Equal(Plain(sent));
                Plain(one).Take(sent.Count).Should().Equal(Plain(sent));
                FailureHeaders.OriginOf(one).Should().Be(Origin);
            }

            FailureHeaders.AttemptOf(copy, 100).Should().Be(9);
            copy.GetText("retry").Should().Be("9");
            copy.GetText("narad-exception-message").Should().Be("again");
        }));

    [Fact]
    public void Whatever_a_retry_topic_holds_attempt_and_due_time_stay_within_the_policy() =>
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(1_000), Prop.ForAll(Headers.ToArbitrary(), forged =>
        {
            FailureHeaders.AttemptOf(forged, 3).Should().BeInRange(0, 3);
            FailureHeaders.DueOf(forged, Written, Longest).Should().BeOnOrAfter(DateTimeOffset.UnixEpoch).And.BeOnOrBefore(Written + Longest);
            if (FailureHeaders.OriginOf(forged) is { } origin)
            {
                origin.Partition.Should().BeGreaterThanOrEqualTo(0);
                origin.Offset.Should().BeGreaterThanOrEqualTo(0);
                origin.Group.Should().NotBeEmpty();
            }
        }));

    [Theory]
    [InlineData("1", 1)]
    [InlineData("3", 3)]
    [InlineData("4", 3)]
    [InlineData("0", 0)]
    [InlineData("-7", 1)]
    [InlineData("+2", 1)]
    [InlineData(" 2", 1)]
    [InlineData("٢", 1)]
    [InlineData("99999999999999999999", 1)]
    [InlineData("", 1)]
    public void The_retry_header_is_the_attempt_where_it_is_a_plain_number_within_the_policy(string text, int attempt) =>
        FailureHeaders.AttemptOf(new MessageHeaders().Add("retry", text), attempts: 3).Should().Be(attempt);

    [Fact]
    public void A_due_time_in_the_year_9999_waits_no_longer_than_the_policy_allows()
    {
        var year9999 = new MessageHeaders().Add("narad-due", "253402300799999");

        FailureHeaders.DueOf(year9999, Written, Longest).Should().Be(Written + Longest);
        FailureHeaders.DueOf(year9999, DateTimeOffset.MaxValue, Longest).Should().Be(DateTimeOffset.FromUnixTimeMilliseconds(253402300799999));
    }

    [Fact]
    public void An_errors_text_is_bounded_and_left_out_bit_by_bit()
    {
        Exception error;
        try
        {
            throw new InvalidOperationException(string.Concat(Enumerable.Repeat("😀", 100_000)));
        }
        catch (InvalidOperationException thrown)
        {
            error = thrown;
        }

        var sizes = Enum.GetValues<FailureDetail>().Where(detail => detail is not FailureDetail.None)
            .Select(detail => Size(FailureHeaders.For([], isRetryRecord: false, Origin, 1, Written, error, detail))).ToList();
        var full = FailureHeaders.For([], isRetryRecord: false, Origin, 1, Written, error);

        sizes.Should().BeInAscendingOrder().And.OnlyHaveUniqueItems();
        sizes[^1].Should().BeLessThan(10_000);
        full.GetText("narad-exception-type").Should().Be("System.InvalidOperationException");
        full.GetText("narad-exception-message").Should().HaveLength(1_024).And.EndWith("😀");
        full.GetText("narad-exception-stack").Should().Contain(nameof(An_errors_text_is_bounded_and_left_out_bit_by_bit));
    }

    private static int Size(MessageHeaders headers) => headers.Sum(header => Encoding.UTF8.GetByteCount(header.Name) + (header.Value?.Length ?? 0));

    private static IEnumerable<string> Plain(MessageHeaders headers) =>
        headers.Select(header => string.Create(CultureInfo.InvariantCulture,
            $"{header.Name}={(header.Value is null ? "null" : Convert.ToHexString(header.Value))}"));
}

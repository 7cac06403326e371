using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Failures;

/// <summary>Whether retry records and dead letters carry what an exception says, which may be a secret of the application's.</summary>
[Trait("Promise", "S30")]
public sealed class ExceptionTextTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Exception_texts_stay_out_of_the_headers_where_the_settings_say_so(bool texts)
    {
        await using var service = await EmbeddedService.StartAsync(options => options.ExceptionTextInHeaders = texts);
        await service.Kafka.SubscribeAsync<string>(
            "orders",
            (_, _, _) => throw new InvalidOperationException("the password is hunter2"),
            configure: s =>
            {
                s.Retry.Topic.MaxAttempts = 1;
                s.Retry.Topic.Delay = TimeSpan.FromMilliseconds(10);
                s.Retry.Topic.BackoffType = DelayBackoffType.Constant;
                s.DeadLetter.Enabled = true;
            });
        await service.SendAsync("orders", "x");
        using var deadline = new CancellationTokenSource(Waiting.Deadline);
        var page = await service.Kafka.DeadLetters.GetPageAsync("orders-dlt", cancellationToken: deadline.Token);
        while (page.Items.Count == 0)
        {
            page = await service.Kafka.DeadLetters.GetPageAsync("orders-dlt", cancellationToken: deadline.Token);
        }

        var letter = page.Items.Single();

        letter.ExceptionType.Should().Be(typeof(InvalidOperationException).FullName);
        (letter.ExceptionMessage is not null).Should().Be(texts);
        (letter.ExceptionStack is not null).Should().Be(texts);
        letter.Headers.Any(header => System.Text.Encoding.UTF8.GetString(header.Value ?? []).Contains("hunter2", StringComparison.Ordinal)).Should().Be(texts);
    }
}

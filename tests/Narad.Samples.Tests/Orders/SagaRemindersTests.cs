using Orders.Events;
using Orders.Saga;

namespace Narad.Samples.Tests.Orders;

public sealed class SagaRemindersTests
{
    [Fact]
    public void A_saga_is_reminded_of_a_deadline_once_until_the_reminder_may_be_lost()
    {
        var deadline = DateTimeOffset.UnixEpoch;
        var (first, second) = (new SagaState("o-1", OrderStep.Payment, deadline), new SagaState("o-2", OrderStep.Stock, deadline));
        var reminders = new Reminders(TimeSpan.FromSeconds(30));

        reminders.Choose([first], deadline).Should().Equal(first);
        reminders.Choose([first, second], deadline.AddSeconds(1)).Should().Equal(second);
        reminders.Choose([first, second], deadline.AddSeconds(29)).Should().BeEmpty("both wait in the topic");
        reminders.Choose([first, second], deadline.AddSeconds(30)).Should().Equal(first);

        var later = first with { Deadline = deadline.AddSeconds(31) };
        reminders.Choose([later], deadline.AddSeconds(31)).Should().Equal([later], "it is another deadline");
        reminders.Choose([second], deadline.AddSeconds(32)).Should().Equal([second], "it was forgotten while it was not due");
    }
}

using FsCheck;
using FsCheck.Fluent;

namespace Narad.Kafka.Tests.Parking;

/// <summary>S26 against a simple oracle: per key, what is done follows what was done before it, or goes back and on from there; nothing is left out and nothing is lost.</summary>
public sealed class KeyParkingTests
{
    [Fact]
    [Trait("Promise", "S26")]
    public void The_order_of_successful_handling_is_the_order_of_sending_whatever_fails_crashes_or_hops()
    {
        var steps = Gen.Choose(0, int.MaxValue - 1).ListOf(600);
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(6_000).WithEndSize(600), Prop.ForAll(steps.ToArbitrary(), static choices =>
        {
            var wrong = ParkingModel.Check(choices);
            return (wrong is null).Label(wrong ?? "");
        }));
    }

    [Fact]
    [Trait("Promise", "S19")]
    [Trait("Promise", "S26")]
    public void Members_that_come_and_go_in_order_handle_no_parked_message_twice()
    {
        var steps = Gen.Choose(0, int.MaxValue - 1).ListOf(300);
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(6_000).WithEndSize(300), Prop.ForAll(steps.ToArbitrary(), static choices =>
        {
            var wrong = ParkingModel.Check(choices, orderly: true);
            return (wrong is null).Label(wrong ?? "");
        }));
    }
}

import { testContractWithFake } from './fake-contract.ts';

await testContractWithFake('firecracker');

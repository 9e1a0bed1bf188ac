import { testContract } from './contract.ts';

testContract('cloud-hypervisor');
